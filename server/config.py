"""The operator's configuration: one TOML file."""

import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from experiments.definition.yaml_documents import problems_of
from experiments.errors import DefinitionError, Problem


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(ge=0, le=3600)]


class ServerSection(_Section):
    """How the server listens and stops.

    Attributes:
        host: Address to bind; loopback unless the operator says otherwise.
        port: gRPC port; 0 lets the system choose.
        metrics_port: Port of the Prometheus metrics; 0 lets the system choose.
        threads: Requests worked on at once.
        replay: Decide as of each request's own time. For replays of history only.
        drain_wait: Seconds between NOT_SERVING and refusing new calls, for load balancers.
        grace: Seconds that calls in flight may take at the end.
        watch_interval: Seconds between looks for a newly pulled model.
        evidence_interval: Seconds between counts of what members responded to.
    """

    host: str = "127.0.0.1"
    port: Port = 50051
    metrics_port: Port = 9464
    threads: Annotated[int, Field(ge=1, le=1024)] = 64
    replay: bool = False
    drain_wait: Seconds = 1.0
    grace: Seconds = 10.0
    watch_interval: Annotated[float, Field(ge=0.05, le=3600)] = 2.0
    evidence_interval: Annotated[float, Field(ge=0.05, le=86_400)] = 300.0


class StoreSection(_Section):
    """Where decisions, exposures and outcomes are kept.

    Attributes:
        path: The SQLite file; made if there is none.
    """

    path: str = "troth.db"


class ProgrammeSection(_Section):
    """Where one programme's definitions and models are.

    Attributes:
        catalogue: YAML file of offers and placements.
        experiments: YAML file or folder of experiments; empty for none.
        models: The folder that ``troth models pull`` fills; empty to serve without a model.
    """

    catalogue: str
    experiments: str = ""
    models: str = ""


class Config(_Section):
    """The whole configuration.

    Attributes:
        server: How the server listens and stops.
        store: Where the log is.
        programmes: By programme id; at least one.
    """

    server: ServerSection = ServerSection()
    store: StoreSection = StoreSection()
    programmes: Annotated[dict[str, ProgrammeSection], Field(min_length=1)]


def load_config(path: Path) -> Config:
    """Read a configuration; relative paths in it count from its own folder.

    Raises:
        DefinitionError: Anything is wrong; every problem is named.
    """
    if not path.is_file():
        raise DefinitionError(
            str(path), [Problem("", "there is no such file; `troth demo` writes one to start from")]
        )
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DefinitionError(str(path), [Problem("", f"is not valid TOML: {error}")]) from None
    except OSError as error:
        raise DefinitionError(str(path), [Problem("", f"cannot be read: {error.strerror}")]) from None
    try:
        config = Config.model_validate(document)
    except ValidationError as error:
        raise DefinitionError(str(path), problems_of(error, Config, {})) from None
    return _anchored(config, path.absolute().parent)


def with_overrides(
    config: Config,
    *,
    host: str | None = None,
    port: int | None = None,
    metrics_port: int | None = None,
    replay: bool | None = None,
) -> Config:
    """Return the configuration with the given settings of the server section in place of the file's.

    Args:
        config: The configuration of the file.
        host: In its place, if given.
        port: In its place, if given.
        metrics_port: In its place, if given.
        replay: In its place, if given.
    """
    given = {"host": host, "port": port, "metrics_port": metrics_port, "replay": replay}
    server = config.server.model_copy(
        update={name: value for name, value in given.items() if value is not None}
    )
    return config.model_copy(update={"server": server})


def _anchored(config: Config, folder: Path) -> Config:
    def at(relative: str) -> str:
        return str(folder / relative) if relative else ""

    return config.model_copy(
        update={
            "store": StoreSection(path=at(config.store.path)),
            "programmes": {
                name: ProgrammeSection(
                    catalogue=at(section.catalogue),
                    experiments=at(section.experiments),
                    models=at(section.models),
                )
                for name, section in config.programmes.items()
            },
        }
    )
