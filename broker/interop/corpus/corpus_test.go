package corpus

import (
	"encoding/json"
	"flag"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write corpus.json anew")

// The suites in Python and JavaScript read the file; this one must not differ.
func TestFileIsTheCorpus(t *testing.T) {
	want, err := json.MarshalIndent(All(), "", " ")
	require.NoError(t, err)
	want = append(want, '\n')
	if *update {
		require.NoError(t, os.WriteFile("corpus.json", want, 0o644))
	}
	got, err := os.ReadFile("corpus.json")
	require.NoError(t, err)
	require.Equal(t, string(want), string(got), "run go test ./broker/interop/corpus -update")
}

func TestNamesAreDistinctAndBytesWhole(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range All() {
		require.False(t, seen[m.Name], m.Name)
		seen[m.Name] = true
		require.NotPanics(t, func() { m.Bytes() }, m.Name)
	}
}

// go-amqp is the only decoder at hand that is not ours: what it can read shows
// that the bytes are well-formed, and most of it must be readable.
func TestMostIsReadableByGoAMQP(t *testing.T) {
	unreadable := 0
	for _, m := range All() {
		if !m.GoAMQP {
			unreadable++
			t.Log("unreadable for go-amqp:", m.Name)
		}
	}
	require.Less(t, unreadable, len(All())/4)
}

func TestBareStripsHeaderAndDeliveryAnnotations(t *testing.T) {
	rest := []byte{0x00, 0x53, 0x75, 0xa0, 0x01, 0x78}
	for name, head := range map[string][]byte{
		"nothing":              {},
		"empty header":         {0x00, 0x53, 0x70, 0x45},
		"header":               {0x00, 0x53, 0x70, 0xc0, 0x02, 0x01, 0x41},
		"wide header":          {0x00, 0x53, 0x70, 0xd0, 0, 0, 0, 5, 0, 0, 0, 1, 0x41},
		"delivery-annotations": {0x00, 0x53, 0x71, 0xc1, 0x01, 0x00},
		"both":                 {0x00, 0x53, 0x70, 0x45, 0x00, 0x53, 0x71, 0xc1, 0x01, 0x00},
	} {
		got, err := Kept(append(head, rest...))
		require.NoError(t, err, name)
		require.Equal(t, rest, got, name)
	}
	for _, torn := range [][]byte{{0x00, 0x53, 0x70}, {0x00, 0x53, 0x70, 0xc0, 0x09}, {0x00, 0x53, 0x70, 0xd0, 0, 0}, {0x00, 0x53, 0x70, 0x41}} {
		_, err := Kept(torn)
		require.Error(t, err)
	}
}
