package config

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"golang.org/x/crypto/bcrypt"
)

// maxPassword is how many bytes of a password bcrypt looks at. A longer one is
// refused, never cut: two that differ only behind it would be the same.
const maxPassword = 72

// HashPassword makes what a User's PasswordHash wants. It refuses an empty
// password and one of more than 72 bytes.
func HashPassword(password string) (string, error) {
	if password == "" {
		return "", errors.New("the password is empty")
	}
	if len(password) > maxPassword {
		return "", fmt.Errorf("the password has %d bytes; bcrypt takes %d at most", len(password), maxPassword)
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.DefaultCost)
	return string(hash), err
}

// Authenticator checks names and passwords against the configured users.
//
// bcrypt takes some 50 ms of CPU by design. When a router or ten thousand
// devices come back at once, that would be minutes, so a password that was
// right once is remembered: as an HMAC under a key that lives only in this
// process, so that memory holds neither the password nor anything that could
// be tried against a dictionary without the key. Wrong ones are never
// remembered, and only a few are hashed at a time: whoever guesses waits in a
// line that right passwords pass by, and leaves cores for the broker's work.
type Authenticator struct {
	hashes map[string][]byte // bcrypt by user; never changed
	decoy  []byte            // hashed for names that do not exist, so that time does not tell
	key    [sha256.Size]byte
	slots  chan struct{} // one for each bcrypt that may run

	refused atomic.Uint64

	mu    sync.RWMutex
	right map[string][sha256.Size]byte // the last right password of each user; guarded by mu
}

// NewAuthenticator takes users that Load has checked.
func NewAuthenticator(users []User) *Authenticator {
	a := &Authenticator{
		hashes: make(map[string][]byte, len(users)),
		right:  make(map[string][sha256.Size]byte, len(users)),
		slots:  make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)),
	}
	for _, u := range users {
		a.hashes[u.Name] = []byte(u.PasswordHash)
		a.decoy = a.hashes[u.Name]
	}
	rand.Read(a.key[:]) // never fails: crypto/rand ends the process instead
	return a
}

// Enabled reports whether there are users at all. Without, nobody can log in
// and loopback clients are anonymous.
func (a *Authenticator) Enabled() bool { return len(a.hashes) > 0 }

// Verify reports whether there is such a user with that password. The first
// time it takes about 50 ms of CPU and may wait for its turn; a password that
// was right before takes a microsecond. Any goroutine may call it.
func (a *Authenticator) Verify(name, password string) bool {
	return a.VerifyUntil(nil, name, password)
}

// VerifyUntil is Verify for somebody who may go meanwhile: when gone is closed it
// waits no longer for its turn, and says no. Else whoever connects, asks and goes
// would make the line as long as he likes.
func (a *Authenticator) VerifyUntil(gone <-chan struct{}, name, password string) bool {
	ok := a.check(gone, name, password)
	if !ok {
		a.refused.Add(1)
	}
	return ok
}

// Refused is how often Verify has said no.
func (a *Authenticator) Refused() uint64 { return a.refused.Load() }

func (a *Authenticator) check(gone <-chan struct{}, name, password string) bool {
	if !a.Enabled() || len(password) > maxPassword {
		return false
	}
	mark := a.mark(password)
	if a.remembered(name, mark) {
		return true
	}
	select {
	case a.slots <- struct{}{}:
	case <-gone:
		return false
	}
	defer func() { <-a.slots }()
	if a.remembered(name, mark) {
		return true // found out by another connection while this one waited
	}
	hash, known := a.hashes[name]
	if !known {
		hash = a.decoy
	}
	if bcrypt.CompareHashAndPassword(hash, []byte(password)) != nil || !known {
		return false
	}
	a.mu.Lock()
	a.right[name] = mark
	a.mu.Unlock()
	return true
}

func (a *Authenticator) mark(password string) (mark [sha256.Size]byte) {
	mac := hmac.New(sha256.New, a.key[:])
	mac.Write([]byte(password))
	mac.Sum(mark[:0])
	return mark
}

func (a *Authenticator) remembered(name string, mark [sha256.Size]byte) bool {
	a.mu.RLock()
	right, ok := a.right[name]
	a.mu.RUnlock()
	return ok && hmac.Equal(right[:], mark[:])
}
