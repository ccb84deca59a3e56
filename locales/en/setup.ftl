setup-title = Welcome
setup-lead = Create the first administrator. This link works once.
setup-submit = Create administrator

setup-invalid-title = This link does not work any more
setup-invalid-what = Set-up links work once and for one hour only, and none is needed once there is an administrator.
setup-invalid-todo = If you are setting up this server and have no account yet, restart it: it gives you a new link.
