"""Signing in: password, then token or enrolment; and the page on which staff see to their own devices."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views import View
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters
from django_otp import login as remember_device

from storefront import limits
from storefront.conf import conf
from storefront.errors import DomainError, TooManyRequests
from storefront.staff import access, devices
from storefront.staff.forms import EnrolAgainForm, EnrolForm, TokenForm


def _wait_text(error: DomainError) -> str:
    seconds = error.retry_after or 1
    if seconds < 90:
        return ngettext("Too many tries. Wait a second.", "Too many tries. Wait %(count)d seconds.", seconds) % {
            "count": seconds
        }
    minutes = -(-seconds // 60)
    return ngettext("Too many tries. Wait a minute.", "Too many tries. Wait %(count)d minutes.", minutes) % {
        "count": minutes
    }


def _braked(request: HttpRequest, *key: str) -> list[limits.Rule]:
    """Counts a try against this key and the caller's network; answers the key's rules, to clear after a success."""
    own = limits.rules("staff_login_contact", *key)
    limits.hit([*own, *limits.rules("staff_login_network", limits.network_of(request))])
    return own


class PasswordStep(LoginView):
    """The first step. Nobody is signed in by it who has a second factor, or needs one."""

    site: Any = None
    template_name = "admin/login.html"

    @method_decorator(sensitive_post_parameters())
    @method_decorator(csrf_protect)
    @method_decorator(never_cache)
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method == "GET" and self.site.has_permission(request):
            return HttpResponseRedirect(self.get_success_url())
        if request.method == "GET" and request.user.is_authenticated and request.user.is_staff:  # elsewhere, half way
            return self._next_step(request.user, access.backend_of(request, request.user))
        return super().dispatch(request, *args, **kwargs)

    def get_form_class(self) -> Any:
        return self.site.login_form

    def get_default_redirect_url(self) -> str:
        return reverse(f"{self.site.name}:index")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        return {
            **self.site.each_context(self.request),
            **context,
            "title": _("Log in"),
            "subtitle": None,
            "app_path": self.request.get_full_path(),
            "site_url": None,
        }

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        username = request.POST.get("username", "").strip().lower()[:254]
        try:
            self._rules = _braked(request, "password", username)
            return super().post(request, *args, **kwargs)
        except TooManyRequests as error:
            form = self.get_form_class()(request, initial={"username": request.POST.get("username", "")[:150]})
            messages.error(request, _wait_text(error))
            response = self.render_to_response(self.get_context_data(form=form), status=429)
            response["Retry-After"] = str(error.retry_after or 1)
            return response

    def form_valid(self, form: Any) -> HttpResponse:
        limits.clear(self._rules)
        user = form.get_user()
        return self._next_step(user, user.backend)

    def _next_step(self, user: Any, backend: str) -> HttpResponse:
        next_url = self.get_success_url()
        if devices.enrolled(user):
            access.put_off(self.request, user=user, backend=backend, next_url=next_url)
            return HttpResponseRedirect(reverse(f"{self.site.name}:second_step"))
        if conf().STAFF_TWO_FACTOR == "required":
            access.put_off(self.request, user=user, backend=backend, next_url=next_url)
            return HttpResponseRedirect(reverse(f"{self.site.name}:enrol"))
        access.sign_in(self.request, user=user, backend=backend)
        return HttpResponseRedirect(next_url)


class _Step(View):
    """A page for somebody whose password was right."""

    site: Any = None

    @method_decorator(sensitive_post_parameters())
    @method_decorator(csrf_protect)
    @method_decorator(never_cache)
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return super().dispatch(request, *args, **kwargs)

    def to_login(self, next_url: str = "") -> HttpResponse:
        address = reverse(f"{self.site.name}:login")
        return HttpResponseRedirect(f"{address}?{urlencode({REDIRECT_FIELD_NAME: next_url})}" if next_url else address)

    def show(self, template: str, *, title: str, status: int = 200, **context: Any) -> HttpResponse:
        return self.site.render(self.request, template, {"site_url": None, **context}, title=title, status=status)  # type: ignore[no-any-return]


class SecondStep(_Step):
    """Asks for a token of the user's authenticator, or a recovery code."""

    def get(self, request: HttpRequest) -> HttpResponse:
        if access.pending(request) is None:
            return self.to_login()
        return self._form(TokenForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        found = access.pending(request)
        if found is None:
            return self.to_login()
        user, kept = found
        form = TokenForm(request.POST)
        status = 200
        if form.is_valid():
            try:
                rules = _braked(request, "token", str(user.pk))
                device = devices.verify(user=user, token=form.cleaned_data["token"])
                if device is not None:
                    limits.clear(rules)
                    access.sign_in(request, user=user, backend=kept["backend"], device=device)
                    return HttpResponseRedirect(kept["next"])
                form.add_error("token", _("That token is not right, or has been used. Try the next one."))
            except TooManyRequests as error:
                status = 429
                form.add_error("token", _wait_text(error))
            except DomainError as error:
                form.add_error("token", str(error.message))
        return self._form(form, status=status)

    def _form(self, form: TokenForm, *, status: int = 200) -> HttpResponse:
        return self.show("storefront/staff/second_step.html", title=_("Second step"), form=form, status=status)


class Enrol(_Step):
    """Leads through adding an authenticator: on the way in where one is required, or from the security page."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        found = access.pending(request)
        if self.site.has_permission(request):
            self.user, self.kept = request.user, None
        elif found is not None and not devices.enrolled(found[0]):
            self.user, self.kept = found
        else:
            return self.to_login()
        return super().dispatch(request, *args, **kwargs)

    @property
    def _form_class(self) -> type[EnrolForm]:
        return EnrolAgainForm if self.kept is None else EnrolForm

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._form(self._form_class())

    def post(self, request: HttpRequest) -> HttpResponse:
        form = self._form_class(request.POST)
        status = 200
        if form.is_valid():
            try:
                rules = _braked(request, "enrol", str(self.user.pk))
                if self.kept is None and not self.user.check_password(form.cleaned_data["password"]):
                    raise DomainError(_("That is not your password."), field="password")
                device, codes = devices.confirm(
                    user=self.user,
                    device_id=request.session.get("staff_enrolling"),
                    token=form.cleaned_data["token"],
                    name=form.cleaned_data["name"],
                )
                limits.clear(rules)
                return self._done(request, device, codes)
            except TooManyRequests as error:
                status = 429
                form.add_error("token", _wait_text(error))
            except DomainError as error:
                form.add_error("password" if "password" in error.errors else "token", str(error.message))
        return self._form(form, status=status)

    def _form(self, form: forms.Form, *, status: int = 200) -> HttpResponse:
        device = devices.begin(user=self.user, device_id=self.request.session.get("staff_enrolling"))
        self.request.session["staff_enrolling"] = device.pk
        return self.show(
            "storefront/staff/enrol.html",
            title=_("Set up two-factor sign-in"),
            form=form,
            qr=devices.qr_svg(device),
            secret=devices.secret_text(device),
            on_the_way_in=self.kept is not None,
            status=status,
        )

    def _done(self, request: HttpRequest, device: Any, codes: list[str]) -> HttpResponse:
        next_url = reverse(f"{self.site.name}:security")
        if self.kept is not None:
            next_url = self.kept["next"]
            access.sign_in(request, user=self.user, backend=self.kept["backend"], device=device)
        elif getattr(request.user, "otp_device", None) is None:
            request.session.cycle_key()
            remember_device(request, device)
        request.session.pop("staff_enrolling", None)
        if not codes:
            return HttpResponseRedirect(next_url)
        return self.show("storefront/staff/codes.html", title=_("Your recovery codes"), codes=codes, next_url=next_url)


class Security(_Step):
    """A member of staff's own devices. Changes need a token, so that a session left open cannot make them."""

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._page(TokenForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        form = TokenForm(request.POST)
        status = 200
        if form.is_valid():
            try:
                rules = _braked(request, "token", str(request.user.pk))
                if devices.verify(user=request.user, token=form.cleaned_data["token"]) is not None:
                    limits.clear(rules)
                    return self._carry_out(request)
                form.add_error("token", _("That token is not right, or has been used. Try the next one."))
            except TooManyRequests as error:
                status = 429
                form.add_error("token", _wait_text(error))
            except DomainError as error:
                form.add_error("token", str(error.message))
        return self._page(form, status=status)

    def _carry_out(self, request: HttpRequest) -> HttpResponse:
        if request.POST.get("do") == "codes":
            codes = devices.renew_recovery_codes(user=request.user)
            return self.show(
                "storefront/staff/codes.html",
                title=_("Your recovery codes"),
                codes=codes,
                next_url=reverse(f"{self.site.name}:security"),
            )
        own = list(devices.authenticators(request.user))
        chosen = next((device for device in own if str(device.pk) == request.POST.get("device")), None)
        if chosen is not None:
            if conf().STAFF_TWO_FACTOR == "required" and len(own) == 1:
                raise DomainError(_("Two-factor sign-in is required here: add another device first."))
            devices.remove(user=request.user, device_id=chosen.pk, by=request.user)
            left = next((device for device in own if device is not chosen), None)
            if left is not None:
                remember_device(request, left)
        return HttpResponseRedirect(reverse(f"{self.site.name}:security"))

    def _page(self, form: TokenForm, *, status: int = 200) -> HttpResponse:
        own = list(devices.authenticators(self.request.user))
        return self.show(
            "storefront/staff/security.html",
            title=_("Two-factor sign-in"),
            form=form,
            devices=own,
            removable=own if len(own) > 1 or conf().STAFF_TWO_FACTOR != "required" else [],
            codes_left=devices.recovery_codes_left(self.request.user),
            enrol_url=reverse(f"{self.site.name}:enrol"),
            status=status,
        )
