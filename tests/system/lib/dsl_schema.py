"""A checker for the part of JSON Schema 2020-12 that docs/dsl.schema.json uses; a keyword that it
does not know is an error, so that nothing is passed over."""

import re

TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}
ANNOTATIONS = {"$schema", "title", "description", "$defs"}


def _is(value, name):
    if name == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if name == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, TYPES[name])


def _object(root, schema, value, at):
    properties = schema.get("properties", {})
    found = [f"{at}: {name} is missing" for name in schema.get("required", []) if name not in value]
    found += [f"{at}: too few members"] * (len(value) < schema.get("minProperties", 0))
    for name, item in value.items():
        rest = schema.get("additionalProperties", True)
        if name in properties:
            found += _check(root, properties[name], item, f"{at}/{name}")
        elif rest is False:
            found.append(f"{at}: {name} is not known")
        elif rest is not True:
            found += _check(root, rest, item, f"{at}/{name}")
        if "propertyNames" in schema:
            found += _check(root, schema["propertyNames"], name, at)
    return found


def _array(root, schema, value, at):
    found = []
    if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
        found.append(f"{at}: {len(value)} items")
    for index, item in enumerate(value):
        found += _check(root, schema.get("items", {}), item, f"{at}/{index}")
    return found


def _scalar(schema, value, at):
    found = []
    if isinstance(value, str):
        if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
            found.append(f"{at}: length")
        if "pattern" in schema and not re.search(schema["pattern"], value):
            found.append(f"{at}: pattern")
    if _is(value, "number"):
        if not schema.get("minimum", value) <= value <= schema.get("maximum", value):
            found.append(f"{at}: range")
        if "exclusiveMinimum" in schema and value <= schema["exclusiveMinimum"]:
            found.append(f"{at}: range")
    return found


KNOWN = ANNOTATIONS | {
    "$ref", "type", "enum", "const", "anyOf", "oneOf", "allOf", "properties", "required",
    "additionalProperties", "propertyNames", "minProperties", "items", "minItems", "maxItems",
    "minLength", "maxLength", "pattern", "minimum", "maximum", "exclusiveMinimum"}


def _check(root, schema, value, at):
    unknown = set(schema) - KNOWN
    assert not unknown, f"the checker does not know {unknown}"
    found = []
    if "$ref" in schema:
        target = root
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        found += _check(root, target, value, at)
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    if types and not any(_is(value, name) for name in types):
        return found + [f"{at}: not of type {types}"]
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{at}: none of the words")
    if "const" in schema and value != schema["const"]:
        found.append(f"{at}: not {schema['const']}")
    for part in schema.get("allOf", []):
        found += _check(root, part, value, at)
    for keyword, wanted in (("anyOf", None), ("oneOf", 1)):
        if keyword in schema:
            fitting = sum(not _check(root, part, value, at) for part in schema[keyword])
            if fitting == 0 or (wanted and fitting != wanted):
                found.append(f"{at}: {keyword} has {fitting} fitting")
    if isinstance(value, dict):
        found += _object(root, schema, value, at)
    elif isinstance(value, list):
        found += _array(root, schema, value, at)
    else:
        found += _scalar(schema, value, at)
    return found


def problems(schema, value):
    """What is wrong with the value; empty when nothing is."""
    return _check(schema, schema, value, "")
