#!@PYTHON@
from wsgiref.handlers import CGIHandler

from @MODULE@ import @CALLABLE@

CGIHandler().run(@CALLABLE@)
