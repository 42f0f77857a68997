from django.urls import path

from . import views

urlpatterns = [
    path('', views.index, name='index'),
    path('notes/', views.post, name='post'),
    path('notes/<int:pk>/attachment/', views.attachment, name='attachment'),
    path('signup/', views.signup, name='signup'),
]
