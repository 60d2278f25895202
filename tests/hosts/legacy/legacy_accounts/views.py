from django.contrib.auth.decorators import login_required
from django.http import HttpResponse


@login_required
def profile(request):
    return HttpResponse(f"{request.user.email} has {request.user.loyalty_points} points.")
