package config

import (
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"
)

// cheapUser hashes at the lowest cost, so that tests take no time.
func cheapUser(t testing.TB, name, password string) User {
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	require.NoError(t, err)
	return User{Name: name, PasswordHash: string(hash)}
}

func TestVerify(t *testing.T) {
	a := NewAuthenticator([]User{cheapUser(t, "ann", "apple"), cheapUser(t, "bob", "banana")})
	require.True(t, a.Enabled())
	for range 2 { // the second time from memory
		require.True(t, a.Verify("ann", "apple"))
		require.True(t, a.Verify("bob", "banana"))
		require.False(t, a.Verify("ann", "banana"), "another user's password")
		require.False(t, a.Verify("bob", ""), "no password")
		require.False(t, a.Verify("eve", "apple"), "an unknown user")
		require.False(t, a.Verify("eve", "banana"), "an unknown user with the password of the decoy")
	}
	require.EqualValues(t, 2*4, a.Refused())
}

func TestWithoutUsersNobodyLogsIn(t *testing.T) {
	a := NewAuthenticator(nil)
	require.False(t, a.Enabled())
	require.False(t, a.Verify("", ""))
}

// bcrypt ignores what stands behind byte 72; we must not.
func TestLongPasswordsAreRefusedNotCut(t *testing.T) {
	long := strings.Repeat("x", 72)
	a := NewAuthenticator([]User{cheapUser(t, "ann", long)})
	require.True(t, a.Verify("ann", long))
	require.False(t, a.Verify("ann", long+"y"))
	_, err := HashPassword(long + "y")
	require.ErrorContains(t, err, "73 bytes")
}

func TestHashPassword(t *testing.T) {
	hash, err := HashPassword("secret")
	require.NoError(t, err)
	require.True(t, NewAuthenticator([]User{{Name: "ann", PasswordHash: hash}}).Verify("ann", "secret"))
	_, err = HashPassword("")
	require.Error(t, err)
}

func TestManyLoginsAtOnce(t *testing.T) {
	a := NewAuthenticator([]User{cheapUser(t, "ann", "apple")})
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			right := i%2 == 0
			password := map[bool]string{true: "apple", false: "pear"}[right]
			if a.Verify("ann", password) != right {
				t.Errorf("%q gave %v", password, !right)
			}
		})
	}
	wg.Wait()
}

// What a reconnecting client costs once its password has been right.
func BenchmarkVerifyAgain(b *testing.B) {
	a := NewAuthenticator([]User{cheapUser(b, "ann", "apple")})
	for b.Loop() {
		a.Verify("ann", "apple")
	}
}

func TestVerifyIsGivenUp(t *testing.T) {
	hash, err := HashPassword("secret")
	require.NoError(t, err)
	a := NewAuthenticator([]User{{Name: "ann", PasswordHash: hash}})
	for range cap(a.slots) {
		a.slots <- struct{}{} // all cores are busy with others
	}
	gone := make(chan struct{})
	close(gone)
	require.False(t, a.VerifyUntil(gone, "ann", "secret"), "nobody waits for an answer that nobody wants")
}
