package config

// Authenticator checks names and passwords against the configured users.
type Authenticator struct{}

// NewAuthenticator takes validated users.
func NewAuthenticator(users []User) *Authenticator { return &Authenticator{} }

// Enabled reports whether there are users at all. Without, nobody can log in
// and loopback clients are anonymous.
func (a *Authenticator) Enabled() bool { panic("unimplemented") }

// Verify reports whether there is such a user with that password. The first
// time it takes about 50 ms of CPU, as it is meant to; then a microsecond.
func (a *Authenticator) Verify(name, password string) bool { panic("unimplemented") }
