import os

from django.core.management import call_command
from django.db import connection


class NewDatabaseMiddleware:
    """Makes the tables of a new database, and the first administrator if the environment names one, by the variables of
    `createsuperuser --no-input`. Later migrations are left to `manage.py migrate`."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        # A test's database is in memory, and made by the test.
        if not connection.is_in_memory_db() and not self._is_made():
            self._make()
        return self.get_response(request)

    @staticmethod
    def _is_made():
        with connection.cursor() as cursor:
            return cursor.execute('PRAGMA user_version').fetchone()[0] > 0

    @staticmethod
    def _make():
        call_command('migrate', interactive=False, verbosity=0)
        if os.environ.get('DJANGO_SUPERUSER_USERNAME'):
            call_command('createsuperuser', interactive=False, verbosity=0)
        # Last, so that what was broken off is done again.
        with connection.cursor() as cursor:
            cursor.execute('PRAGMA user_version = 1')
