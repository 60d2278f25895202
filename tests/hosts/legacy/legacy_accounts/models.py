from django.contrib.auth.models import AbstractUser
from django.db import models


class User(AbstractUser):
    """The shop's members and its staff, as they always were: a number as id, an e-mail address to log in with."""

    email = models.EmailField(unique=True)
    loyalty_points = models.IntegerField(default=0)
    USERNAME_FIELD = "email"
    REQUIRED_FIELDS = ["username"]


class Session(models.Model):
    """Where a member was seen last. It takes the very names that a newcomer might want for itself."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sessions")
    seen_at = models.DateTimeField(auto_now=True)
