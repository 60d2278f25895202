"""The served OpenAPI document against the published contract."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest
from django.test import Client

from storefront import contract, descriptions, errors, schema
from storefront.api import Access
from storefront.descriptions import OPERATIONS
from storefront.errors import DomainError


@pytest.fixture(scope="module")
def served_document() -> Any:
    response = Client().get("/api/schema", headers={"Accept": "application/vnd.oai.openapi+json"})
    assert response.status_code == 200
    return response.json()


def test_routes_access_and_inputs_agree_with_the_contract() -> None:
    assert schema.disagreements() == []


def test_every_served_operation_is_described_under_the_contracts_path_and_id(served_document: Any) -> None:
    described = {
        operation["operationId"]: path
        for path, methods in served_document["paths"].items()
        for operation in methods.values()
    }
    assert described == {name: operation.path for name, (operation, *_rest) in schema.served().items()}
    assert {operation.id for operation in contract.operations().values() if operation.tag == "auth"} <= set(described)


def test_every_operation_declares_the_statuses_that_it_may_answer(served_document: Any) -> None:
    for methods in served_document["paths"].values():
        for operation in methods.values():
            assert {"200", "400", "401", "404", "429", "503"} <= set(operation["responses"])


def test_every_operation_says_what_it_does_with_an_example_of_its_body(served_document: Any) -> None:
    operations = [facts for methods in served_document["paths"].values() for facts in methods.values()]
    assert set(OPERATIONS) == {facts["operationId"] for facts in operations}
    for facts in operations:
        assert facts["summary"] == facts["summary"].strip() and not facts["summary"].endswith("."), facts["operationId"]
        assert facts["description"].rstrip(".`…") != facts["description"], facts["operationId"]
        for kind, body in facts.get("requestBody", {}).get("content", {}).items():
            assert ("example" in body) == (kind == "application/json"), facts["operationId"]
        for parameter in facts.get("parameters", ()):
            plain = parameter.get("in") == "path" and parameter["name"].endswith("id")  # needs no explanation
            assert plain or "$ref" in parameter or parameter["description"], (facts["operationId"], parameter)
    for parameter in served_document["components"]["parameters"].values():
        assert parameter["description"], parameter
    assert len({facts["summary"] for facts in operations}) == len(operations)


def test_examples_of_bodies_fit_their_schemas(served_document: Any) -> None:
    import jsonschema

    checked = 0
    for methods in served_document["paths"].values():
        for facts in methods.values():
            body = facts.get("requestBody", {}).get("content", {}).get("application/json")
            if body is not None:
                whole = {"components": served_document["components"], **body["schema"]}
                jsonschema.Draft202012Validator(whole).validate(body["example"])
                checked += 1
    assert checked > 40


def test_refusals_are_described_once_and_their_examples_are_real(served_document: Any) -> None:
    answers = served_document["components"]["responses"]
    known = {(refusal.status, refusal.code): refusal for refusal in vars(errors).values() if is_refusal(refusal)}
    assert len(answers) == len(descriptions.REFUSALS)
    for status, (_description, example) in descriptions.REFUSALS.items():
        refusal = known[int(status), example["code"]]
        assert example["message"] == str(refusal.default_message) or example["code"] == "validation_error"


def is_refusal(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, DomainError)


def test_the_operations_that_take_a_key_are_those_that_say_so(served_document: Any) -> None:
    """By asking: a key that cannot be one is refused where keys are read."""
    said = {
        facts["operationId"]
        for methods in served_document["paths"].values()
        for facts in methods.values()
        if any(parameter.get("$ref", "").endswith("/IdempotencyKey") for parameter in facts.get("parameters", ()))
    }
    reads_keys = set()
    for name, (_operation, view, action) in schema.served().items():
        source = inspect.getsource(getattr(view, action))
        if re.search(r"\b_?once\(", source):
            reads_keys.add(name)
    assert said == reads_keys == set(schema.TAKE_A_KEY)


def test_every_input_that_is_read_is_described(served_document: Any) -> None:
    for name, (operation, view, action) in schema.served().items():
        declared, wanted = view.inputs.get(action), contract.body_fields(operation)
        if declared is None or wanted is None:
            continue
        read = {field for field, how in declared().fields.items() if not how.read_only}  # type: ignore[attr-defined]
        assert read - wanted[0] == set(schema._ALSO_READ.get(name, ())), name


def test_tags_are_described_and_the_document_begins_with_the_rules(served_document: Any) -> None:
    used = {tag for methods in served_document["paths"].values() for facts in methods.values() for tag in facts["tags"]}
    assert {tag["name"] for tag in served_document["tags"]} == used
    assert all(tag["description"] for tag in served_document["tags"])
    assert "Idempotency-Key" in served_document["info"]["description"]


def test_every_reference_in_the_document_leads_somewhere(served_document: Any) -> None:
    for reference in schema._references(served_document):
        target = served_document
        for part in reference.removeprefix("#/").split("/"):
            target = target[part]


def test_a_missing_route_a_wrong_access_and_an_unread_input_are_noticed(monkeypatch: Any) -> None:
    """The check itself must be able to fail."""
    operations = {name: (view, action) for name, (_operation, view, action) in schema.served().items()}
    view, action = operations["login-with-email"]
    refresh_view, refresh_action = operations["refresh-token"]
    monkeypatch.setattr(view, "inputs", {**view.inputs, action: refresh_view.inputs[refresh_action]})
    found = schema.disagreements()
    assert "login-with-email: the input email is not read" in found
    assert "login-with-email: the input refresh_token is required, but not by the contract" in found
    monkeypatch.undo()
    view, action = operations["get-anonymous-token"]
    monkeypatch.setattr(view, "access", Access.VISITOR)
    assert any("get-anonymous-token: access" in problem for problem in schema.disagreements())
    monkeypatch.undo()
    monkeypatch.setattr(schema, "COMPLETE_TAGS", ("pos",))
    assert any("not served" in problem for problem in schema.disagreements())
