"""Documents: what is taken, who decides, whose they are, and that files stay private (D-13, D-43, D-44, R-26)."""

from __future__ import annotations

import io
import time
import zlib
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from PIL import Image

from customers import selectors
from customers.kyc import files, services
from customers.models import Document, DocumentEvent, KycDocumentType
from storefront import private_files
from storefront.errors import Invalid, Unavailable
from storefront.models import Store
from tests.conftest import Api
from tests.contract import assert_component, assert_is_error, assert_matches
from tests.threads import in_parallel

pytestmark = pytest.mark.django_db
PAN, UNKNOWN_PAN, SLOW_PAN = "AAPFU0931F", "AAPFU0939F", "AAPFU0938F"
PDF = b"%PDF-1.4\n1 0 obj\n<</Type/Catalog>>\nendobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"


@pytest.fixture(autouse=True)
def _private_folder(settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = str(tmp_path / "media")


def kind(store: Store, **facts: Any) -> KycDocumentType:
    return KycDocumentType.objects.create(store=store, **({"title": "PAN card", "kind": "pan"} | facts))


@pytest.fixture
def pan(store: Store) -> KycDocumentType:
    """Checked by itself."""
    return kind(store, verification="auto")


@pytest.fixture
def licence(store: Store) -> KycDocumentType:
    """Looked at by staff, with a file."""
    return kind(store, title="Trade licence", kind="other", is_attachment_required=True, valid_days=365)


def picture(size: tuple[int, int] = (40, 30), kind: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, "red").save(out, kind, **options)
    return out.getvalue()


def send(api: Api, method: str, path: str, **members: Any) -> Any:
    """A multipart request, as the published client sends it."""
    from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart

    return api.client.generic(
        method,
        f"/api/v1/{api.store.pk}/storefront{path}",
        encode_multipart(BOUNDARY, members),
        content_type=MULTIPART_CONTENT,
        headers={"Authorization": f"Bearer {api.token}"},
    )


def upload(name: str, content: bytes, content_type: str = "application/pdf") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content, content_type)


@pytest.fixture
def path(shopper: Api) -> str:
    return f"/customers/{shopper.user_id}/documents"


def stored_files() -> list[str]:
    try:
        return sorted(private_files.storage().listdir("documents/demo")[1])
    except FileNotFoundError:
        return []


# --- giving -----------------------------------------------------------------------------------------------------------
def test_a_document_is_given_and_waits_for_staff(shopper: Api, path: str, licence: KycDocumentType) -> None:
    members = {"document_number": " L  77 ", "kyc_document_id": licence.pk, "note": "New one", "file": upload("a", PDF)}
    shown = assert_matches("create-document", send(shopper, "POST", path, **members))["document"]
    assert (shown["document_number"], shown["status"], shown["is_verified"]) == ("L 77", "submitted", False)
    assert (shown["title"], shown["verification_type"]) == ("Trade licence", "manual")
    assert (shown["created_by"], shown["modified_by"], shown["note"]) == ("customer", "customer", "New one")
    assert "expires_at" not in shown and "verified_at" not in shown
    listed = assert_matches("list-documents", shopper.get(path))["documents"]
    one = assert_matches("get-document", shopper.get(f"{path}/{shown['id']}"))["document"]
    for other in (listed[0], one):
        assert other | {"file_url": ""} == shown | {"file_url": ""}
    row = Document.objects.get()
    assert "L 77" not in row.number_encrypted and row.number == "L 77"


@pytest.mark.parametrize(
    ("number", "status", "verified"),
    [(PAN, "approved", True), (UNKNOWN_PAN, "rejected", False), (SLOW_PAN, "submitted", False)],
)
def test_a_registry_decides_at_once_where_it_can(
    shopper: Api, path: str, pan: KycDocumentType, number: str, status: str, verified: bool
) -> None:
    answer = shopper.post(path, {"document_number": number, "kyc_document_id": pan.pk})
    shown = assert_matches("create-document", answer)["document"]
    assert (shown["status"], shown["is_verified"], shown["verification_type"]) == (status, verified, "automatic")
    assert ("verified_at" in shown) is verified
    kinds = [event.kind for event in DocumentEvent.objects.all()]
    assert kinds == ["submitted"] + [status] * (status != "submitted")


def test_a_live_store_never_believes_the_sandbox(store: Store, shopper: Api, path: str, pan: KycDocumentType) -> None:
    from storefront import selectors as kernel

    Store.objects.filter(pk=store.pk).update(debug_mode=False)
    kernel.forget()
    shown = shopper.post(path, {"document_number": PAN, "kyc_document_id": pan.pk}).json()["content"]["document"]
    assert shown["status"] == "submitted"
    body = {"document_number": PAN, "document_type_id": pan.pk}
    looked = shopper.post(f"{path}/verify", body).json()["content"]["document"]
    assert looked["is_verified"] is False and "legal_name" not in looked


def test_a_registry_that_is_down_leaves_it_to_staff(
    shopper: Api, path: str, pan: KycDocumentType, monkeypatch: Any
) -> None:
    from customers.sandbox import SandboxDocumentChecks

    def down(*_: Any, **__: Any) -> Any:
        raise Unavailable

    monkeypatch.setattr(SandboxDocumentChecks, "check", down)
    shown = shopper.post(path, {"document_number": PAN, "kyc_document_id": pan.pk}).json()["content"]["document"]
    assert shown["status"] == "submitted"


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"document_number": "AAPFU0000F"}, "document_number"),
        ({"document_number": ""}, "document_number"),
        ({"document_number": "x" * 61}, "document_number"),
        ({"kyc_document_id": "01ARZ3NDEKTSV4RRFFQ69G5FAV"}, "kyc_document_id"),
        ({"kyc_document_id": "x" * 27}, "kyc_document_id"),
        ({"note": "x" * 501}, "note"),
    ],
)
def test_what_cannot_be_is_refused(
    shopper: Api, path: str, pan: KycDocumentType, members: dict[str, str], field: str
) -> None:
    body = {"document_number": PAN, "kyc_document_id": pan.pk} | members
    assert_is_error(shopper.post(path, body), 400, "validation_error", field)
    assert not Document.objects.exists()


def test_a_kind_of_another_store_or_one_that_is_no_longer_asked_for_is_unknown(
    store: Store, other_store: Store, shopper: Api, path: str
) -> None:
    for foreign in (kind(other_store), kind(store, active=False)):
        refused = shopper.post(path, {"document_number": PAN, "kyc_document_id": foreign.pk})
        assert_is_error(refused, 400, "validation_error", "kyc_document_id")


def test_a_missing_file_is_named(shopper: Api, path: str, licence: KycDocumentType) -> None:
    for file in ({}, {"file": ""}):
        refused = send(shopper, "POST", path, document_number="1", kyc_document_id=licence.pk, **file)
        assert_is_error(refused, 400, "validation_error", "file")
    assert not Document.objects.exists()


# --- again ------------------------------------------------------------------------------------------------------------
def test_a_document_can_be_sent_again_only_when_it_is_rejected_or_expired(
    store: Store, shopper: Api, path: str, licence: KycDocumentType
) -> None:
    body = {"document_number": "1", "kyc_document_id": licence.pk}
    shown = send(shopper, "POST", path, **body, file=upload("a", PDF)).json()["content"]["document"]
    one = f"{path}/{shown['id']}"
    again = body | {"document_number": "2", "modified_reason": "The number was wrong"}
    where = {"store": store, "document_id": shown["id"], "by": "staff", "now": timezone.now()}

    def locked() -> None:
        assert_is_error(send(shopper, "PUT", one, **again), 400, "document_locked")
        assert_is_error(send(shopper, "POST", path, **body, file=upload("a", PDF)), 400, "document_locked")
        assert [row.number for row in Document.objects.all()] == ["1"]
        assert len(stored_files()) == 1

    locked()  # submitted
    services.approve(**where)
    assert shopper.get(one).json()["content"]["document"]["expires_at"]
    locked()
    services.reject(**where, reason="Not readable")
    rejected = shopper.get(one).json()["content"]["document"]
    assert (rejected["status"], rejected["modified_reason"], rejected["modified_by"]) == (
        "rejected",
        "Not readable",
        "admin",
    )
    assert "expires_at" not in rejected and "verified_at" not in rejected
    changed = assert_matches("update-document", send(shopper, "PUT", one, **again))["document"]
    assert (changed["status"], changed["document_number"]) == ("submitted", "2")
    assert (changed["modified_reason"], changed["modified_by"]) == ("The number was wrong", "customer")
    assert [event.kind for event in DocumentEvent.objects.all()] == [
        "submitted",
        "approved",
        "rejected",
        "submitted_again",
    ]


def test_the_calendar_ends_a_document(store: Store, shopper: Api, path: str, pan: KycDocumentType) -> None:
    body = {"document_number": PAN, "kyc_document_id": pan.pk}
    first = shopper.post(path, body).json()["content"]["document"]["id"]
    Document.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    shown = assert_matches("get-document", shopper.get(f"{path}/{first}"))["document"]
    assert (shown["status"], shown["is_verified"]) == ("expired", False)
    second = shopper.post(path, body).json()["content"]["document"]["id"]
    assert {row.pk: row.status for row in Document.objects.all()} == {first: "expired", second: "approved"}
    services.expire_due(now=timezone.now(), batch=10)
    assert Document.objects.get(pk=second).status == "approved"
    Document.objects.filter(pk=second).update(expires_at=timezone.now())
    services.expire_due(now=timezone.now(), batch=10)
    assert Document.objects.get(pk=second).status == "expired"
    assert list(DocumentEvent.objects.filter(kind="expired").values_list("document_id", flat=True)) == [first, second]


def test_a_reason_is_needed_and_the_kind_stays(shopper: Api, path: str, pan: KycDocumentType, store: Store) -> None:
    body = {"document_number": UNKNOWN_PAN, "kyc_document_id": pan.pk}
    one = f"{path}/{shopper.post(path, body).json()['content']['document']['id']}"
    assert_is_error(shopper.put(one, body), 400, "validation_error", "modified_reason")
    other = kind(store, title="Another")
    changed = {"modified_reason": "x", "kyc_document_id": other.pk}
    assert_is_error(shopper.put(one, body | changed), 400, "validation_error", "kyc_document_id")
    fixed = shopper.put(one, body | {"document_number": PAN, "modified_reason": "Typing error"})
    assert assert_matches("update-document", fixed)["document"]["status"] == "approved"


def test_nothing_but_its_own_members_can_be_written(
    shopper: Api, stranger: Api, path: str, pan: KycDocumentType
) -> None:
    claimed = {
        "status": "approved",
        "is_verified": True,
        "verified_at": "2026-01-01T00:00:00Z",
        "expires_at": "2099-01-01T00:00:00Z",
        "created_by": "admin",
        "modified_by": "admin",
        "verification_type": "automatic",
        "customer": stranger.user_id,
        "customer_id": stranger.user_id,
        "file_url": "file:///etc/passwd",
        "file_name": "x",
        "id": "01ARZ3NDEKTSV4RRFFQ69G5FAV",
    }
    body = {"document_number": SLOW_PAN, "kyc_document_id": pan.pk}
    shown = shopper.post(path, body | claimed).json()["content"]["document"]
    row = Document.objects.get()
    assert (row.status, row.verified_at, row.expires_at, row.file) == ("submitted", None, None, "")
    assert (row.customer_id, row.created_by) == (shopper.user_id, "customer")
    assert row.pk == shown["id"] != claimed["id"]


# --- files ------------------------------------------------------------------------------------------------------------
def test_a_file_is_private_and_its_link_ends(
    shopper: Api, path: str, licence: KycDocumentType, monkeypatch: Any
) -> None:
    members = {"document_number": "1", "kyc_document_id": licence.pk}
    evil = "../../etc/<script>.html"
    shown = send(shopper, "POST", path, **members, file=upload(evil, PDF, "text/html")).json()["content"]["document"]
    anybody = Client()
    answer = anybody.get(shown["file_url"])
    assert answer.status_code == 200 and b"".join(answer.streaming_content) == PDF  # type: ignore[attr-defined]
    assert answer["Content-Type"] == "application/pdf"
    assert answer["Content-Disposition"] == 'attachment; filename="Trade licence.pdf"'
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "no-store" in answer["Cache-Control"]
    row = Document.objects.get()
    assert row.file.startswith("documents/demo/") and row.file.endswith(".pdf") and ".." not in row.file
    assert not default_storage.exists(row.file)  # nothing under MEDIA_URL
    assert anybody.get(f"/media/{row.file}").status_code == 404
    link = shown["file_url"]
    for wrong in (link[:-1], link + "x", link.replace("/demo/", "/other/")):
        assert_is_error(anybody.get(wrong), 404, "not_found")
    monkeypatch.setattr(private_files, "LINK_SECONDS", -1)
    assert_is_error(anybody.get(link), 404, "not_found")


def test_a_file_goes_with_its_document(
    shopper: Api, path: str, licence: KycDocumentType, django_capture_on_commit_callbacks: Any
) -> None:
    members = {"document_number": "1", "kyc_document_id": licence.pk}
    shown = send(shopper, "POST", path, **members, file=upload("a", PDF)).json()["content"]["document"]
    assert len(stored_files()) == 1
    with django_capture_on_commit_callbacks(execute=True):
        assert_matches("delete-document", shopper.delete(f"{path}/{shown['id']}"))
    assert stored_files() == []
    assert_is_error(Client().get(shown["file_url"]), 404, "not_found")
    assert_is_error(shopper.get(f"{path}/{shown['id']}"), 404, "document_not_found")
    assert_is_error(shopper.delete(f"{path}/{shown['id']}"), 404, "document_not_found")


def test_a_picture_is_made_anew_without_what_it_said_of_its_maker() -> None:
    exif = Image.Exif()
    exif[0x010E], exif[0x8825] = "secret place", {1: "N", 2: (12.0, 58.0, 1.0)}
    for format_, content_type in (("JPEG", "image/jpeg"), ("PNG", "image/png")):
        sent = picture(kind=format_, exif=exif) + b"<script>alert(1)</script>PK\x05\x06"
        content, found = files.checked(upload("a.gif", sent))
        assert found == content_type
        assert b"secret" not in content and b"<script" not in content and b"PK\x05\x06" not in content
        with Image.open(io.BytesIO(content)) as image:
            assert image.size == (40, 30) and not image.getexif()


def test_a_large_picture_becomes_smaller_and_stands_upright_on_white() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # lying on its side
    out = io.BytesIO()
    wide = Image.new("RGBA", (6400, 1000), (0, 0, 0, 0))
    wide.paste((0, 0, 255, 255), (0, 0, 3200, 1000))
    wide.save(out, "PNG", exif=exif)
    content, _type = files.checked(upload("a.png", out.getvalue()))
    with Image.open(io.BytesIO(content)) as image:
        assert (image.mode, image.size) == ("RGB", (334, 2134))
        assert image.getpixel((100, 100)) == (0, 0, 255)
        assert image.getpixel((100, 2000)) == (255, 255, 255)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "I;16", "CMYK"])
def test_pictures_of_every_mode_pass(mode: str) -> None:
    out = io.BytesIO()
    Image.new(mode, (20, 10)).save(out, "JPEG" if mode == "CMYK" else "PNG")
    content, _type = files.checked(upload("a", out.getvalue()))
    with Image.open(io.BytesIO(content)) as image:
        assert (image.mode, image.size) == ("RGB", (20, 10))


def test_an_animation_becomes_its_first_frame() -> None:
    out = io.BytesIO()
    frames = [Image.new("RGB", (9, 9), colour) for colour in ("red", "blue", "green")]
    frames[0].save(out, "PNG", save_all=True, append_images=frames[1:])
    content, _type = files.checked(upload("a.png", out.getvalue()))
    with Image.open(io.BytesIO(content)) as image:
        assert getattr(image, "n_frames", 1) == 1


def bomb() -> bytes:
    """A PNG whose header claims 900 million pixels."""
    real = picture((10, 10))
    header = b"IHDR" + (30_000).to_bytes(4) * 2 + real[24:29]
    return real[:12] + header + zlib.crc32(header).to_bytes(4) + real[33:]


def with_objects(text: bytes) -> bytes:
    """A PDF that hides `text` in a compressed object stream."""
    head = b"%PDF-1.5\n5 0 obj\n<</Type/ObjStm/N 1/First 4/Filter/FlateDecode>>\nstream\n"
    return head + zlib.compress(text) + b"\nendstream\nendobj\n%%EOF"


NO_FILES = {
    "empty text": b"hello",
    "SVG": b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
    "HTML": b"<html><script>alert(1)</script></html>",
    "GIF": b"GIF89a" + b"\0" * 40,
    "ZIP": b"PK\x03\x04" + b"\0" * 40,
    "PNG in name only": b"\x89PNG\r\n\x1a\n" + b"\0" * 100,
    "JPEG in name only": b"\xff\xd8\xff\xe0" + b"\0" * 100,
    "picture bomb": bomb(),
    "PDF after something else": b"<script>alert(1)</script>\n" + PDF,
    "PDF that is HTML too": b"%PDF-1.4\n<script>alert(1)</script>\n%%EOF",
    "PDF that is a ZIP too": PDF + b"PK\x03\x04 ... PK\x05\x06",
    "PDF without an end": PDF[:-8],
    "PDF with a script": PDF.replace(b"/Catalog", b"/Catalog/OpenAction<</S/JavaScript/JS(app.alert(1))>>"),
    "PDF with a script spelt otherwise": PDF.replace(b"/Catalog", b"/Catalog/AA<</S/J#61vaScript>>"),
    "PDF with a script spelt in numbers": PDF.replace(b"/Catalog", b"/Catalog/AA<</S/#4a#61#76#61#53#63#72#69#70#74>>"),
    "PDF with a password spelt otherwise": PDF.replace(b"/Root", b"/#45ncryp#74 9 0 R/Root"),
    "PDF with a hidden script in a stream spelt otherwise": with_objects(b"1 0 <</S/#4AS(x)>>").replace(
        b"/ObjStm", b"/Obj#53tm"
    ),
    "PDF that starts programs": PDF.replace(b"/Catalog", b"/Catalog/OpenAction<</S/Launch/F(cmd.exe)>>"),
    "PDF with a file in it": PDF.replace(b"/Catalog", b"/Catalog/Names<</EmbeddedFiles 2 0 R>>"),
    "PDF with a password": PDF.replace(b"/Root", b"/Encrypt 9 0 R/Root"),
    "PDF with a hidden script": with_objects(b"1 0 <</S/JavaScript/JS(app.alert(1))>>"),
    "PDF with objects that cannot be read": with_objects(b"x").replace(b"x\x9c", b"y\x9c"),
    "PDF with an object in what only looks like a stream": PDF.replace(
        b"trailer", b"%stream\n2 0 obj\n<</S/JavaScript>>\nendobj\n%endstream\ntrailer"
    ),
}


@pytest.mark.parametrize("name", NO_FILES)
def test_what_is_no_harmless_document_is_refused_and_not_stored(
    shopper: Api, path: str, licence: KycDocumentType, name: str
) -> None:
    members = {"document_number": "1", "kyc_document_id": licence.pk, "file": upload("scan.pdf", NO_FILES[name])}
    body = assert_is_error(send(shopper, "POST", path, **members), 400, field="file")
    assert body["code"] in {"file_invalid", "image_invalid", "image_too_large"}
    assert not Document.objects.exists()
    assert stored_files() == []


def test_a_pdf_with_harmless_object_streams_passes_and_one_that_unpacks_without_end_does_not(monkeypatch: Any) -> None:
    harmless = with_objects(b"1 0 <</Type/Catalog/OpenAction[3 0 R/Fit]/Title(JSON)>>")
    assert files.checked(upload("a", harmless)) == (harmless, "application/pdf")
    monkeypatch.setattr(files, "MAX_INFLATED", 1000)
    with pytest.raises(Invalid):
        files.checked(upload("a", with_objects(b" " * 5000)))


@pytest.mark.parametrize(
    "content",
    [
        b"%PDF-1.4\n" + b"stream\n" * 1_400_000 + b"%%EOF",
        b"%PDF-1.4\n" + b"#41" * 3_400_000 + b"%%EOF",
        b"%PDF-1.4\n" + b"/" * 10_000_000 + b"%%EOF",
        with_objects(b"#41" * 10_000_000),
    ],
    ids=["streams that never end", "escapes", "slashes", "escapes in an object stream"],
)
def test_a_file_made_to_be_slow_is_looked_at_in_seconds(content: bytes) -> None:
    """Each of them once took from ten seconds to days, with the whole process waiting."""
    began = time.process_time()
    with suppress(Invalid):
        files.checked(upload("a", content))
    assert time.process_time() - began < 5


def test_a_form_of_thousands_of_parts_is_refused(shopper: Api, path: str) -> None:
    many_fields = {f"f{number}": "x" for number in range(10_001)}
    many_files = {"file": [upload("a.pdf", b"x") for _ in range(10_001)]}
    for members in (many_fields, many_files):
        assert_is_error(send(shopper, "POST", path, **members), 400, "malformed_body")


def test_too_large_a_file_is_refused(monkeypatch: Any) -> None:
    monkeypatch.setattr(files, "MAX_BYTES", 50)
    with pytest.raises(Invalid) as refused:
        files.checked(upload("a", PDF))
    assert refused.value.code == "file_too_large"


def test_a_refusal_after_the_file_was_stored_leaves_none(
    store: Store, shopper: Api, licence: KycDocumentType, monkeypatch: Any
) -> None:
    monkeypatch.setattr(services, "MAX_DOCUMENTS", 0)
    with pytest.raises(services.TooManyDocuments):
        services.submit(
            store=store,
            customer_id=shopper.user_id,
            by="x",
            type_id=licence.pk,
            number="1",
            file=upload("a", PDF),
            now=timezone.now(),
        )
    assert stored_files() == []


def test_uploads_are_braked(shopper: Api, path: str, pan: KycDocumentType, configure: Any) -> None:
    configure(LIMITS_ENABLED=True, LIMITS={"upload": "1/60", "document_check": "1/60"})
    body = {"document_number": PAN, "kyc_document_id": pan.pk, "document_type_id": pan.pk}
    assert [shopper.post(path, body).status_code for _ in range(2)] == [200, 429]
    assert [shopper.post(f"{path}/verify", body).status_code for _ in range(2)] == [200, 429]


# --- looking up -------------------------------------------------------------------------------------------------------
def test_a_number_is_looked_up_before_it_is_saved(
    store: Store, shopper: Api, path: str, pan: KycDocumentType, licence: KycDocumentType
) -> None:
    gst = kind(store, title="GST", kind="gst")
    answer = shopper.post(f"{path}/verify", {"document_number": PAN.lower(), "document_type_id": pan.pk})
    found = assert_matches("verify-document", answer)["document"]
    assert (found["document_number"], found["is_verified"], found["legal_name"]) == (PAN, True, "Sandbox Holder")
    assert_component("PanDetail", found)
    stem = f"29{PAN}1Z"
    from storefront import tax_ids

    gstin = next(stem + last for last in "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ" if tax_ids.valid_gstin(stem + last))
    answer = shopper.post(f"{path}/verify", {"document_number": gstin, "document_type_id": gst.pk})
    assert assert_matches("verify-document", answer)["document"]["state"] == "Karnataka"
    for number, type_id, field in (
        (UNKNOWN_PAN, pan.pk, "document_number"),
        ("AAPFU0000F", pan.pk, "document_number"),
        (PAN, "x", "document_type_id"),
        ("1", licence.pk, "document_type_id"),
    ):
        refused = shopper.post(f"{path}/verify", {"document_number": number, "document_type_id": type_id})
        assert_is_error(refused, 400, "validation_error", field)
    assert not Document.objects.exists()


# --- whose ------------------------------------------------------------------------------------------------------------
def test_nobody_reaches_anothers_documents(shopper: Api, stranger: Api, path: str, pan: KycDocumentType) -> None:
    body = {"document_number": PAN, "kyc_document_id": pan.pk, "modified_reason": "x"}
    one = shopper.post(path, body).json()["content"]["document"]["id"]
    for method in ("GET", "PUT", "DELETE"):
        assert_is_error(stranger.request(method, f"{path}/{one}", body), 404, "not_found")
        own = f"/customers/{stranger.user_id}/documents/{one}"
        assert_is_error(stranger.request(method, own, body), 404, "document_not_found")
    for method, action in (("GET", path), ("POST", path), ("POST", f"{path}/verify")):
        assert_is_error(stranger.request(method, action, body), 404, "not_found")
    assert Document.objects.count() == 1


def test_a_visitor_gives_no_documents(visitor: Api, pan: KycDocumentType) -> None:
    body = {"document_number": PAN, "kyc_document_id": pan.pk}
    assert_is_error(visitor.post(f"/customers/{visitor.user_id}/documents", body), 401, "login_required")


def test_the_list_costs_one_query(store: Store, shopper: Api, path: str, count_queries: Any) -> None:
    def add(number: int) -> None:
        type_id = kind(store, title=f"Kind {number}", kind="other").pk
        shopper.post(path, {"document_number": str(number), "kyc_document_id": type_id})

    add(0)
    one = count_queries(lambda: shopper.get(path))
    for number in range(1, 9):
        add(number)
    assert count_queries(lambda: shopper.get(path)) == one <= 2
    assert len(list(selectors.documents(store=store, customer_id=shopper.user_id))) == 9


@pytest.mark.django_db(transaction=True)
def test_the_same_document_sent_twice_at_once_is_taken_once(store: Store, settings: Any, tmp_path: Any) -> None:
    from customers.errors import DocumentLocked
    from customers.services import create_customer

    settings.MEDIA_ROOT = str(tmp_path / "media")
    create_customer(store=store, customer_id="party")
    type_id = kind(store, title="Licence", kind="other").pk

    def give(number: int) -> bool:
        try:
            services.submit(
                store=store,
                customer_id="party",
                by="x",
                type_id=type_id,
                number=str(number),
                file=upload("a", PDF),
                now=timezone.now(),
            )
        except DocumentLocked:
            return False
        return True

    assert sum(in_parallel(give, 5)) == 1
    assert Document.objects.count() == 1
    assert len(stored_files()) == 1
