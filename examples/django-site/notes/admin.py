from django.contrib import admin

from .models import Note


@admin.register(Note)
class NoteAdmin(admin.ModelAdmin):
    list_display = ['author', 'text', 'posted']
    list_filter = ['posted']
    search_fields = ['text']
