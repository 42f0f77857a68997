import re
import tempfile

from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client, TestCase, override_settings

PNG = b'\x89PNG\r\n\x1a\n and more'
WORD = 'a rather long word'


class Site(TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.enterContext(override_settings(MEDIA_ROOT=folder.name))
        self.client = Client(enforce_csrf_checks=True, SERVER_NAME='localhost')

    def post(self, page, path=None, **form):
        """Sends the form on `page`, with its token, and follows to where it leads."""
        token = re.search('name="csrfmiddlewaretoken" value="([^"]+)"', self.client.get(page).text)[1]
        return self.client.post(path or page, {'csrfmiddlewaretoken': token, **form}, follow=True)

    def log_in(self, name='ada', word=WORD):
        return self.post('/login/', username=name, password=word)

    def test_a_visitor_signs_up_logs_in_posts_uploads_and_logs_out(self):
        self.assertContains(self.client.get('/'), 'There are no notes yet.')
        answer = self.post('/signup/', username='ada', password1=WORD, password2=WORD)
        self.assertContains(answer, 'Welcome, ada!')
        self.assertContains(self.log_in(word='another'), 'correct username and password')
        self.assertContains(self.log_in(), 'Log out')
        picture = SimpleUploadedFile('me.png', PNG)
        answer = self.post('/', '/notes/', text='<b>Hi</b>', attachment=picture)
        self.assertContains(answer, '&lt;b&gt;Hi&lt;/b&gt;')
        path = re.search('href="(/notes/[^"]+)"', answer.text)[1]
        answer = self.client.get(path)
        self.assertEqual((b''.join(answer), answer['Content-Type']), (PNG, 'image/png'))
        self.assertContains(self.post('/', '/logout/'), 'Log in')
        self.assertEqual(self.client.get(path).status_code, 200)

    def test_what_is_wrong_is_said(self):
        answer = self.post('/signup/', username='ada', password1='12345', password2='12345')
        self.assertContains(answer, 'too short', status_code=422)
        User.objects.create_user('ada', password=WORD)
        self.log_in()
        file = SimpleUploadedFile('run.exe', b'MZ')
        answer = self.post('/', '/notes/', text='Hi', attachment=file)
        self.assertContains(answer, 'not allowed', status_code=422)
        file = SimpleUploadedFile('big.txt', bytes(3 << 20))
        answer = self.post('/', '/notes/', text='Hi', attachment=file)
        self.assertContains(answer, 'too large', status_code=422)
        self.assertEqual(self.client.post('/notes/', {'text': 'Hi'}).status_code, 403)

    def test_administrators_see_the_notes(self):
        User.objects.create_superuser('root', password=WORD)
        self.log_in('root')
        self.assertContains(self.client.get('/admin/notes/note/'), 'Select note to change')
        self.assertContains(self.client.get('/static/admin/css/base.css'), 'body')
