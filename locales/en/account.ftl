account-nav = Your account
account-overview = Overview
account-password = Password
account-sessions = Sessions
account-apps = Connected apps
account-to-admin = Administration

notice-password-changed = Your password is changed. You were signed out everywhere else.
notice-session-ended = That session has ended. Apps used in it lose their access within seconds, except those that you let keep it while you are away.
notice-others-ended = You are signed out everywhere else.
notice-app-withdrawn = The app has no access any more. Services that it used refuse it within seconds.

overview-title = Your account
overview-email-state = Email status
overview-email-verified = Confirmed
overview-email-unverified = Not confirmed
overview-since = Your account was created on { $date }.
overview-password = Choose a new one
overview-sessions = { $count ->
    [one] You are signed in on { $count } device
   *[other] You are signed in on { $count } devices
}
overview-apps = { $count ->
    [0] No app has access to your account
    [one] { $count } app has access to your account
   *[other] { $count } apps have access to your account
}

password-title = Change your password
password-lead = Afterwards you stay signed in here and are signed out everywhere else.
password-submit = Change password

sessions-title = Where you are signed in
sessions-lead = If you do not know one of these devices, end its session and change your password.
sessions-this-one = This device
sessions-last-used = Last used { $when }
sessions-apps = Apps:
sessions-signed-in = Signed in on { $date }
sessions-end = End session
sessions-only-this = You are signed in on this device only.
sessions-end-others-title = Lost a device, or used a shared one?
sessions-end-others-what = This ends every session but this one. Apps used in them lose their access, except those that you let keep it while you are away: withdraw these under “Connected apps”.
sessions-end-others = Sign out everywhere else

apps-title = Connected apps
apps-lead = These apps can use your account. Withdraw the access of those you no longer use.
apps-none-title = No connected apps yet
apps-none-what = When you sign in to an app with this account and allow it to use your data, it is listed here, and here you can take it back.
apps-sees = Sees:
apps-uses = Uses { $resource }:
apps-administers = Administers this service:
apps-since = Since { $date }
apps-withdraw = Withdraw

withdraw-page-title = Withdraw access of { $app }?
withdraw-title = Withdraw the access of { $app }?
withdraw-what-happens = This will happen:
withdraw-access-ends = The app can no longer use your account, on any device.
withdraw-data-stays = What the app has already stored stays with the app. Ask its makers if you want it deleted.
withdraw-asks-again = If you sign in to the app again, it has to ask you again.
withdraw-confirm = Withdraw access
withdraw-keep = Keep access
