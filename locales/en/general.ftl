# Words of every page.

you-are-at = You are at { $host }
title-problem = Please check:
skip-to-content = Skip to the content
sign-out = Sign out
not-you = Not you?
back-to-app = Back to { $app }
back-to-account = Go to your account
back-to-admin = Go to the admin pages
back-to-login = Go to sign-in

# Times.
date = { $day } { $month ->
    [1] January
    [2] February
    [3] March
    [4] April
    [5] May
    [6] June
    [7] July
    [8] August
    [9] September
    [10] October
    [11] November
   *[12] December
} { $year }
moment = { $time } UTC
ago-now = just now
ago-minutes = { $count ->
    [one] { $count } minute ago
   *[other] { $count } minutes ago
}
ago-hours = { $count ->
    [one] { $count } hour ago
   *[other] { $count } hours ago
}
ago-days = { $count ->
    [one] { $count } day ago
   *[other] { $count } days ago
}

# Devices.
device-browser-on-system = { $browser } on { $system }
device-unknown = Unknown device

# What an app may see of a person. The value stands after each of them.
detail-subject = Who you are here
detail-subject-why = An identifier that stays the same, so that the app knows you again
detail-name = Your name
detail-given-name = Your given name
detail-family-name = Your family name
detail-middle-name = Your middle name
detail-nickname = Your nickname
detail-username = Your username
detail-profile-page = Your profile page
detail-picture = Your picture
detail-website = Your website
detail-email = Your email address
detail-gender = Your gender
detail-birthdate = Your date of birth
detail-time-zone = Your time zone
detail-locale = Your language and region
detail-phone = Your phone number
detail-address = Your postal address
detail-none = Nothing stored yet
scope-use-resource = Use { $resource } for you
scope-use-admin = Administer this service for you
scope-offline = Keep access while you are away
scope-offline-why = Until you take it back

# The page that carries an answer to an app.
form-post-title = Taking you back to the app
form-post-noscript = Scripts are switched off in your browser, so one more step is needed.
form-post-continue = Continue
