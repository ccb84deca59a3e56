# Fields.
field-username = Username
field-username-or-email = Username or email
field-password = Password
field-current-password = Current password
field-new-password = New password
field-repeat-password = Repeat the password
field-name = Full name
field-email = Email address
password-hint = At least { $count } characters. A few words together are easy to remember.
password-show = Show password
password-show-short = Show
password-hide = Hide password
password-hide-short = Hide

# What is wrong with a form.
problem-wrong-credentials = This name and this password do not match. Check both and try again.
problem-password-again = Enter your password again
problem-throttled = { $count ->
    [one] There were too many tries. Wait a minute, then try again.
   *[other] There were too many tries. Wait { $count } minutes, then try again.
}
problem-busy = Very many people are signing in right now. Wait a few seconds, then try again.
problem-form-expired = This page was open for too long, so nothing was sent. Please try again now.
problem-username-missing = Enter your username or email address
problem-new-username-missing = Choose a username
problem-username-invalid = Choose a username of at most 128 characters, without tabs and other invisible characters
problem-username-taken = This username is taken. Choose another one
problem-name-missing = Enter a name
problem-name-invalid = Enter a shorter name, without tabs and other invisible characters
problem-email-invalid = Enter an email address, for example alice@example.com
problem-email-taken = Another account has this email address. Enter another one
problem-password-missing = Enter your password
problem-current-password-missing = Enter the password you have now
problem-current-password-wrong = This is not your current password. Try again
problem-new-password-missing = Enter a new password
problem-new-password-too-short = { $count ->
    [one] Use at least { $count } character for the new password
   *[other] Use at least { $count } characters for the new password
}
problem-new-password-too-long = { $count ->
    [one] Use at most { $count } character for the new password
   *[other] Use at most { $count } characters for the new password
}
problem-new-password-too-easy = This password is too easy to guess. Choose another one
problem-new-password-unchanged = This is the password you have now. Choose another one
problem-repeat-differs = The two passwords are not the same. Enter the same one twice
