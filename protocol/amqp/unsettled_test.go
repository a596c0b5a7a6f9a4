package amqp

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// The unsettled map against a naive twin: a Go map, searched in order.
func TestUnsettledMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var u unsettled
		twin := map[uint64]uint64{}
		links := [2]*Link{{}, {}}
		owner := map[uint64]*Link{}
		next := uint64(1 << 32)
		// first is what seek should find.
		first := func(id uint64) (uint64, bool) {
			for ; id < next; id++ {
				if _, ok := twin[id]; ok {
					return id, true
				}
			}
			return 0, false
		}
		some := func(t *rapid.T) uint64 { return rapid.Uint64Range(1<<32, next+2).Draw(t, "id") }
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				next += rapid.Uint64Range(0, 3).Draw(t, "gap")
				l := links[rapid.IntRange(0, 1).Draw(t, "link")]
				u.push(entry{id: next, link: l, ref: next * 7})
				l.unsettled++
				twin[next], owner[next] = next*7, l
				next++
			},
			"kill": func(t *rapid.T) {
				id := some(t)
				if e := u.find(id); e != nil {
					u.kill(e)
					delete(twin, id)
				}
			},
			"drop": func(t *rapid.T) {
				if rapid.IntRange(0, 9).Draw(t, "seldom") > 0 {
					t.Skip()
				}
				u.drop(links[0])
				for id := range twin {
					if owner[id] == links[0] {
						delete(twin, id)
					}
				}
			},
			"seek": func(t *rapid.T) {
				id := some(t)
				want, ok := first(id)
				e := u.seek(id)
				if ok != (e != nil) || ok && (e.id != want || e.ref != twin[want] || e.link != owner[want]) {
					t.Fatalf("seek(%d): want %d %v, got %+v", id, want, ok, e)
				}
			},
			"": func(t *rapid.T) {
				if n := int(links[0].unsettled + links[1].unsettled); n != len(twin) {
					t.Fatalf("the links count %d, there are %d", n, len(twin))
				}
				if len(twin) == 0 {
					u.shrink()
				}
			},
		})
	})
}

// One delivery that nobody settles does not let the map grow, however many come
// after it.
func TestUnsettledStraggler(t *testing.T) {
	var u unsettled
	l := new(Link)
	add := func(id uint64) { u.push(entry{id: id, link: l}); l.unsettled++ }
	add(0)
	for id := uint64(1); id < 100_000; id++ {
		add(id)
		if id > 10 {
			u.kill(u.find(id - 10))
		}
	}
	require.Less(t, cap(u.entries), 64)
	require.NotNil(t, u.find(0), "the old one is still there")
}
