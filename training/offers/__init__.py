"""The training job for offers: from purchases to a compared, recorded and registered model."""
