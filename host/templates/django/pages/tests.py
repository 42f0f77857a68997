from django.test import Client, TestCase


class Pages(TestCase):
    def setUp(self):
        self.client = Client(SERVER_NAME='localhost')

    def test_it_greets(self):
        self.assertContains(self.client.get('/'), 'Hello, {{name}}!')
        self.assertContains(self.client.get('/?name=<b>'), 'Hello, &lt;b&gt;!')

    def test_elsewhere_is_nothing(self):
        self.assertEqual(self.client.get('/elsewhere').status_code, 404)
