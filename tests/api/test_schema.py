"""The served OpenAPI document against the published contract."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from storefront import contract, schema
from storefront.api import Access


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
