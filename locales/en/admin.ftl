admin-nav = Administration
admin-badge = Admin
admin-overview = Overview
admin-people = People
admin-apps = Apps
admin-sessions = Sessions
admin-audit = Audit
admin-to-account = Your account
admin-already = It was so already. Nothing was changed.
admin-next = Show more
admin-older = Show older
admin-search = Search
admin-search-clear = Show all
admin-copy = Copy
admin-copied = Copied
admin-state = State
admin-active = Active
admin-disabled = Disabled
admin-disabled-since = Disabled since
admin-in-service = In service
admin-out-of-service = Out of service
admin-out-since = Out of service since
admin-role-admin = Admin
admin-actions = Actions
admin-since = Registered
admin-identity = Identity
admin-none = None

overview-admin-title = Overview
overview-well = This server is well and answers.
overview-ill = This server should not be sent requests now:
overview-people-count = { $count ->
    [one] { $count } person may sign in
   *[other] { $count } people may sign in
}
overview-apps-count = { $count ->
    [0] No app is registered
    [one] { $count } app is in service
   *[other] { $count } apps are in service
}
overview-sessions-count = { $count ->
    [0] Nobody is signed in
    [one] { $count } session is open
   *[other] { $count } sessions are open
}
overview-keys-hint = What signs tokens, and who is ready for the next
overview-audit-hint = Who did what
overview-last = Latest events

people-title = People
people-find = Beginning of a user name or email, or a whole identity
people-none = Nobody fits
people-none-what = No user name and no email address begins with this, and it is nobody’s identity.
people-person = Person
people-email = Email
person-username = User name
person-email = Email
person-unverified = not confirmed
person-roles = Roles
person-sub = Subject in tokens
person-sessions = Sessions
person-sessions-none = Not signed in anywhere.
person-apps = Connected apps
person-apps-none = No app has access.
person-events = Latest events
person-events-none = Nothing is recorded.
person-events-all = Show all in the audit

admin-apps-title = Apps
apps-find = Name or client id
admin-apps-none = No apps here
admin-apps-none-what = Apps are registered on the command line, with “frontdesk clients add” or “frontdesk apply”.
apps-app = App
apps-kind = Kind
apps-client-id = Client id
app-holds = { $count ->
    [0] Nobody uses this app now.
    [one] { $count } person uses this app now.
   *[other] { $count } people use this app now.
}
app-grants = { $count ->
    [one] It holds { $count } grant.
   *[other] It holds { $count } grants.
}
app-settings = Registered
app-settings-change = Settings are changed on the command line, with “frontdesk clients update” or “frontdesk apply”.
app-audit = Show its audit
kind-web = Web app on a server
kind-native = App on a device
kind-browser = App in the browser
kind-service = Service
setting-kind = Kind
setting-proof = Proves itself by
setting-delivery = Refresh token
setting-scope = May ask for
setting-grants = Ways to get tokens
setting-redirects = Redirect addresses
setting-after-sign-out = Addresses after sign-out
setting-told-by-us = Told of sign-outs by us
setting-told-by-browser = Told of sign-outs by the browser
setting-origins = Origins
setting-contacts = Contacts
setting-owner = Owner
setting-first-party = Asks no consent
setting-direct-login = Own sign-in form
setting-admin-api = May use the admin API
setting-yes = Yes
setting-no = No
proof-none = Nothing
proof-basic = A secret in the header
proof-post = A secret in the form
delivery-body = In the answer
delivery-cookie = As a cookie only

admin-sessions-title = Sessions
admin-sessions-lead = Everybody who is signed in, the newest sign-in first.
session-this-one = This session
session-idle = Idle
session-signed-in = Signed in
session-last-used = Last used
session-apps = Apps:
session-end = End

audit-title = Audit
audit-action = What was done
audit-action-hint = For example user.disable, or user for everything about people
audit-about = Who, or to whom
audit-about-hint = An identity, such as that of a person or an app
audit-none = No events fit
audit-none-what = Ask for less, or show all.
audit-by = By
audit-to = To

elevate-title = Confirm it’s you
elevate-lead = You are about to change something. Enter your password, and you can make changes for ten minutes.
elevate-submit = Continue

confirm-what-happens = This will happen:
confirm-whose = Of { $person }
confirm-own = This is you. You may lose your own access.
confirm-back = Cancel
confirm-last-admin = This is the last person who can run this service. Give the admin role to somebody else first.
confirm-in-the-way = Other apps have taken its place meanwhile:
confirm-sign-out = Sign { $name } out everywhere?
confirm-disable = Disable { $name }?
confirm-enable = Enable { $name } again?
confirm-make-admin = Make { $name } an admin?
confirm-unmake-admin = Take the admin role from { $name }?
confirm-withdraw = Withdraw the access of { $name }?
confirm-end-session = End the session on { $name }?
confirm-disable-app = Take { $name } out of service?
confirm-enable-app = Put { $name } into service again?
confirm-end-app = End all access of { $name }?
after-sign-out = Every session ends, on every device.
after-apps-lose = Apps that live by a session lose their access with it.
after-sign-in-again = The person can sign in again at once.
after-disable = The person cannot sign in any more.
after-everything-ends = All sessions end, and every app loses its access to the account.
after-enable-again = You can take this back. What has ended stays ended.
after-enable = The person can sign in again with the password they had.
after-nothing-returns = Nothing that ended meanwhile comes back.
after-make-admin = The person can see and change everything here, also your own account.
after-unmake-admin = The person cannot open these pages any more, and tokens for the admin API stop working.
after-withdraw = The app can no longer use the account, on any device.
after-data-stays = What the app has already stored stays with the app.
after-asks-again = When the person signs in to the app again, it has to ask again, unless it is one of your own apps.
after-end-session = The person is signed out there.
after-disable-app = Nobody can sign in to the app any more, and it gets no tokens.
after-grants-end = Everything the app was granted ends, for all people. Its tokens are refused here at once; other services may take an access token until it is too old.
after-enable-app = People can sign in to the app again, and it gets tokens.
after-end-app = The app stays in service: people can sign in to it again.
do-sign-out = Sign out everywhere
do-disable = Disable
do-enable = Enable
do-make-admin = Make admin
do-unmake-admin = Take admin role
do-withdraw = Withdraw
do-end-session = End session
do-disable-app = Take out of service
do-enable-app = Put into service
do-end-app = End all access
done-sign-out = Signed out everywhere.
done-disable = Disabled. All sessions and all access of apps have ended.
done-enable = Enabled.
done-make-admin = This person is an admin now.
done-unmake-admin = This person is no admin any more.
done-withdraw = The app has no access any more.
done-end-session = That session has ended.
done-disable-app = Out of service. All it was granted has ended.
done-enable-app = In service again.
done-end-app = All access of the app has ended.

admin-keys = Keys
keys-title = Keys
keys-lead = These keys sign tokens. They turn by themselves; the next one is published long before it signs.
keys-said-turned = The next key signs.
keys-said-planned = Planned. The next key signs as soon as that is safe and the apps have it.
keys-said-all-revoked = All keys are thrown out, and everyone has to sign in again.
keys-said-revoked = The key is thrown out. Nothing that it signed is trusted any more.
keys-said-canary = The next key signs for that app, for an hour.
keys-said-canary-ended = The next key waits for its turn again.
keys-forged = Rows of these keys were changed from outside and are not used. Throw them out.
keys-next = The next turn is planned for
keys-next-late = The next turn was planned for
keys-waits-for = It waits for apps that were not yet seen to have the next key:
keys-timeline = When each { $alg } key is published and signs
keys-legend-published = published
keys-legend-signs = signs
keys-legend-now = now
keys-will-sign = Will sign from
keys-signs-since = Signs since
keys-signed-from = Signed from
keys-leaves = Leaves the key set at
keys-left = Left the key set at
keys-reason = Thrown out because:
keys-revoke = Throw out
keys-rotate = Turn now or soon
keys-try = Try the next key on one app
keys-canary = The next key signs already for
keys-canary-look = Stop
key-pending = Waits for its turn
key-active = Signs
key-retiring = Retiring
key-retired = Retired
key-revoked = Thrown out
keys-apps = Apps that check tokens
keys-apps-what = A turn waits for these until each was seen to fetch the next key, from where the app authenticates.
keys-apps-none = No app that checks tokens was at work within a month.
keys-app-lags = Lacks the next key
keys-app-ready = Ready
keys-app-seen = Last fetched the key set
keys-app-never = Was never seen to fetch the key set.
keys-app-claimed = Somebody fetched it in this app’s name from an address where the app never authenticated.
keys-strangers = Others who fetch the key set
keys-stranger-claims = Says it is
rotate-title = Turn the { $alg } key?
rotate-next = This key takes over:
rotate-safe-now = It has been published for long enough for every app to know it.
rotate-safe-from = It is safe for every app from
rotate-waits = These apps were not yet seen to have it:
rotate-patience = They are waited for until
rotate-old-stays = Tokens of the old key stay good until they expire.
rotate-safely = Turn as early as is safe
rotate-now-title = At once
rotate-now-what = Does not wait for anything. Apps that do not have the key refuse new tokens until they fetch it.
rotate-now = Turn at once
canary-title = Try the next { $alg } key on one app
canary-lead = So an app that would break by the turn is found before it.
canary-next = This key is tried:
canary-from = An app that keeps the key set may not know it yet. It can be tried from
canary-for-an-hour = New tokens of the app you choose are signed with this key for an hour. Then the present key signs them again.
canary-may-refuse = Whoever checks these tokens and keeps one fixed key, or takes the first in the set, refuses them. Then stop it here, and have that mended.
canary-others = Other apps notice nothing, and what was signed stays good.
canary-app-hint = The app whose tokens this key shall sign.
canary-unknown = No app has this client id.
canary-begin = Try it for an hour
canary-running = It signs already for
canary-until = until
canary-stop = Stop
revoke-title = Throw this key out?
revoke-tokens = Live tokens
revoke-tokens-count = { $count ->
    [0] None
    [one] { $count } at most
   *[other] { $count } at most
}
revoke-people = People
revoke-people-count = { $count ->
    [0] Nobody holds one
    [one] { $count } person holds one
   *[other] { $count } people hold one
}
revoke-not-ready = Apps not ready
revoke-recovered = All recovered by
revoke-at-once = This service refuses its tokens at once. Apps do as soon as they fetch the key set.
revoke-stay-signed-in = People stay signed in. Their apps get new tokens when they refresh.
revoke-for-ever = It cannot be taken back.
revoke-host-title = Throw out all keys?
revoke-host-what = For when the machine itself was lost, and not only this key: all keys of all algorithms and all secrets that lie in the database are replaced.
revoke-host-instead = The machine was lost, and not only this key
revoke-host = Throw out all keys
revoke-sessions-count = { $count ->
    [0] Nobody is signed in
    [one] { $count } session ends, yours too
   *[other] { $count } sessions end, yours too
}
revoke-host-sign-in = Everyone is signed out and signs in again, you too.
revoke-host-left = Make a new master key first, if you can: what is replaced is then sealed under it. Secrets of apps, the database’s password and the TLS key are left to you.
revoke-reason = Why
revoke-reason-hint = This is published in the key history. Name no person.
revoke-type = Type { $word } to go on
revoke-wrong-reason = Write why, in 200 characters at most.
revoke-wrong-word = You typed something else than what was asked for.
