from django.contrib.auth.hashers import PBKDF2PasswordHasher


class QuickPBKDF2PasswordHasher(PBKDF2PasswordHasher):
    """Fewer rounds than Django's own, so that a log-in takes well under a second on a small machine."""

    iterations = 100_000
