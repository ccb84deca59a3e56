-- Those who run this house: found without a look at everybody. The condition stands word for word in store/users.rs.
CREATE INDEX users_who_are_admins ON users (id) WHERE replace(' ' || roles || ' ', ' admin ', '') <> ' ' || roles || ' ';
