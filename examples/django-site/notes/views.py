from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.forms import UserCreationForm
from django.http import FileResponse, Http404
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from .forms import NoteForm
from .models import Note

#: Notes on the page.
SHOWN = 50


@require_safe
def index(request):
    return _index(request, NoteForm())


@require_POST
@login_required
def post(request):
    form = NoteForm(request.POST, request.FILES, instance=Note(author=request.user))
    if not form.is_valid():
        return _index(request, form, 422)
    form.save()
    messages.success(request, 'Your note is there.')
    return redirect('index')


@require_safe
def attachment(request, pk):
    note = get_object_or_404(Note, pk=pk)
    if not note.attachment:
        raise Http404
    return FileResponse(note.attachment.open(), filename=note.attachment.name)


@require_http_methods(['GET', 'HEAD', 'POST'])
def signup(request):
    form = UserCreationForm(request.POST or None)
    if request.method != 'POST':
        return render(request, 'registration/signup.html', {'form': form})
    if not form.is_valid():
        return render(request, 'registration/signup.html', {'form': form}, status=422)
    user = form.save()
    messages.success(request, f'Welcome, {user.get_username()}! You can log in now.')
    return redirect('login')


def _index(request, form, status=200):
    notes = Note.objects.select_related('author')[:SHOWN]
    return render(request, 'notes/index.html', {'form': form, 'notes': notes}, status=status)
