"""Imports as rows: where one stands, what is wrong with its file, and the file itself where it was uploaded.

The file is kept in the database in parts: every worker can read it there, and no folder is shared or served by mistake.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone

from storefront.ids import ID_LENGTH, new_id
from storefront.models import StoreScoped
from storefront.outbox import OutboxQuerySet, OutboxRow
from storefront.scope import StoreManager

PART_BYTES = 262_144


class ImportJob(OutboxRow, StoreScoped):
    """One file's way into a store. A store knows each file of a kind once: importing it again starts its row over.

    `position`, `done` and the counts move in the transaction that writes the rows, so a resumed job repeats nothing.
    """

    id = models.CharField(max_length=ID_LENGTH, primary_key=True, default=new_id, editable=False)
    kind = models.CharField(max_length=30)  # the name of an ImportKind
    name = models.CharField(max_length=200)
    digest = models.CharField(max_length=64)  # SHA-256 of the file
    format = models.CharField(max_length=4, choices=[("csv", "CSV"), ("json", "JSON")])
    uploaded = models.BooleanField(default=False)  # its parts are in the database, and workers take it
    dry_run = models.BooleanField(default=True)
    cancelled = models.BooleanField(default=False)
    columns = models.JSONField(default=list)
    total = models.PositiveIntegerField(default=0)
    done = models.PositiveIntegerField(default=0)
    position = models.BigIntegerField(default=0)  # in bytes
    next_row = models.PositiveIntegerField(default=0)
    created = models.PositiveIntegerField(default=0)
    changed = models.PositiveIntegerField(default=0)
    unchanged = models.PositiveIntegerField(default=0)
    errors = models.PositiveIntegerField(default=0)
    failures = models.PositiveSmallIntegerField(default=0)
    made_by = models.CharField(max_length=150, blank=True)

    objects: ClassVar[Any] = StoreManager.from_queryset(OutboxQuerySet)()

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(fields=["store", "kind", "digest"], name="%(app_label)s_import_file_once")
        ]
        indexes = [
            models.Index(fields=["next_attempt_at"], condition=Q(state="pending", uploaded=True), name="sf_import_due"),
            models.Index(fields=["created_at"], name="sf_import_by_age"),  # housekeeping reads across stores
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def running(self) -> bool:
        return self.state == self.State.PENDING and not self.cancelled

    @property
    def claimed(self) -> bool:
        """Whether somebody works on it right now."""
        return self.running and self.attempts > 0 and self.next_attempt_at > timezone.now()

    @property
    def percent(self) -> int:
        return 100 if not self.total else min(100, self.done * 100 // self.total)


class ImportPart(models.Model):
    """A stretch of an uploaded file."""

    job = models.ForeignKey(ImportJob, on_delete=models.CASCADE, related_name="parts", db_index=False)
    number = models.PositiveIntegerField()
    content = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "number"], name="%(app_label)s_import_part")]

    def __str__(self) -> Any:
        return f"{self.job_id} {self.number}"


class ImportProblem(models.Model):
    """Why a row was left out."""

    job = models.ForeignKey(ImportJob, on_delete=models.CASCADE, related_name="problems", db_index=False)
    row = models.PositiveIntegerField()
    column = models.CharField(max_length=100, blank=True)
    message = models.CharField(max_length=300)
    subject = models.CharField(max_length=200, blank=True)  # what the row is about, or what stands in the cell

    class Meta:
        ordering = ["job", "pk"]
        indexes = [models.Index(fields=["job", "id"], name="sf_import_problems")]

    def __str__(self) -> str:
        return self.message
