package amqp

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"entrepot/protocol/amqp/wire"
)

// arguments are a line of words, key=value pairs and flags.
type arguments struct {
	verb  string
	words []string
	pairs map[string]string
}

func args(line string) arguments {
	a := arguments{pairs: map[string]string{}}
	for i, word := range strings.Fields(line) {
		key, value, pair := strings.Cut(word, "=")
		switch {
		case i == 0:
			a.verb = word
		case pair:
			a.pairs[key] = value
		default:
			a.words = append(a.words, word)
		}
	}
	return a
}

func (a arguments) get(key, def string) string {
	if v, ok := a.pairs[key]; ok {
		return v
	}
	return def
}

func (a arguments) has(word string) bool {
	return slices.Contains(a.words, word)
}

func (a arguments) error() *Error {
	if c, ok := a.pairs["error"]; ok {
		return &Error{Condition: wire.Symbol(c), Description: a.get("description", "")}
	}
	return nil
}

func number(t testing.TB, s string) uint32 {
	n, err := strconv.ParseUint(s, 0, 32)
	if err != nil {
		t.Fatal(err)
	}
	return uint32(n)
}

// repeated: "hello", or "1000*x" for a thousand of them.
func repeated(t testing.TB, s string) []byte {
	if n, what, ok := strings.Cut(s, "*"); ok {
		return []byte(strings.Repeat(what, int(number(t, n))))
	}
	return []byte(s)
}
