from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import FileExtensionValidator
from django.db import models

ATTACHMENT_MAX = 2 * 1024 * 1024


def validate_size(file):
    if file.size > ATTACHMENT_MAX:
        raise ValidationError('The attachment is too large: it may have 2 MB.')


class Note(models.Model):
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    text = models.TextField(max_length=2000)
    attachment = models.FileField(
        upload_to='notes',
        blank=True,
        validators=[FileExtensionValidator(['gif', 'jpg', 'jpeg', 'pdf', 'png', 'txt']), validate_size],
    )
    posted = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ['-posted', '-id']

    def __str__(self):
        return f'{self.author}: {self.text[:40]}'
