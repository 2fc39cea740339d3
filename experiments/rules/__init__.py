"""Targeting rules in CEL, the Common Expression Language (https://cel.dev), over declared attributes.

A rule is checked once, by Google's CEL library, and then lowered to a Python closure (one decision) and to a polars
expression (a whole table). Both are proved equal to the library by tests.

Supported:

* literals of string, int, double and bool; ``timestamp("2026-01-31T00:00:00Z")``, to the microsecond;
* ``== != < <= > >=`` between values of one type; texts compare by code points, false is below true;
* ``+ - * / %`` and the sign on ints (64 bits), ``+ - * /`` and the sign on doubles; ``double(int)``;
* ``&& || !`` and ``condition ? this : that``;
* ``x in ["a", "b"]`` and ``"a" in list_attribute``;
* ``startsWith endsWith contains matches size``; ``matches`` takes a literal pattern in RE2 syntax and looks for it anywhere;
  what engines read differently, such as ``(?i)``, is refused by name (see ``patterns``);
* ``has(attributes.NAME)``: whether an attribute has a value. CEL tests only fields for presence, so all attributes
  together form ``attributes``; everywhere else the name stands alone.

Everything else is a ``RuleError`` that names it: uint, bytes, null, maps, durations, conversions, list indexing and
comparison, ``exists`` and other macros.

A rule *errs* where an attribute is missing, null or not of its declared type, on division by zero and on ints beyond
64 bits; then it does not match. As CEL demands, ``&&`` and ``||`` outweigh errors in either order:
``false && error`` is false, ``true || error`` is true.
"""

from experiments.rules.attributes import AttributeType, AttributeValue
from experiments.rules.faults import Fault, RuleError
from experiments.rules.rule import Rule, RuleOutcome, compile_rule, describe

__all__ = [
    "AttributeType",
    "AttributeValue",
    "Fault",
    "Rule",
    "RuleError",
    "RuleOutcome",
    "compile_rule",
    "describe",
]
