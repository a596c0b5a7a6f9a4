package broker

import "testing"

func TestLinkNameIsStolenInTurn(t *testing.T) {
	n := newLinkNames()
	key := linkKey{container: "device-7", name: "events", sending: true}
	var log []string
	say := func(s string) func() { return func() { log = append(log, s) } }
	want := func(why string, lines ...string) {
		t.Helper()
		if len(log) != len(lines) {
			t.Fatalf("%s: got %v, want %v", why, log, lines)
		}
		for i := range lines {
			if log[i] != lines[i] {
				t.Fatalf("%s: got %v, want %v", why, log, lines)
			}
		}
		log = nil
	}

	first, now := n.claim(key, say("first must go"), nil)
	if !now {
		t.Fatal("a name that nobody holds is the caller's at once")
	}
	second, now := n.claim(key, say("second must go"), say("second has it"))
	if now {
		t.Fatal("a held name is not the newcomer's before the holder has let go")
	}
	want("the holder is asked to go", "first must go")
	third, _ := n.claim(key, say("third must go"), say("third has it"))
	want("the third steals from the second, which has not even got it", "second must go")

	n.release(first)
	want("the name goes to who waits longest", "second has it")
	n.release(second)
	want("and then to the next", "third has it")
	n.release(third)
	if _, now := n.claim(key, nil, nil); !now {
		t.Error("after the last release the name is free")
	}
}

func TestLinkNameClaimIsWithdrawn(t *testing.T) {
	n := newLinkNames()
	key := linkKey{container: "c", name: "l"}
	granted := false
	first, _ := n.claim(key, func() {}, nil)
	second, _ := n.claim(key, func() {}, func() { granted = true })
	n.release(second) // its connection ended while it waited
	n.release(first)
	if granted {
		t.Error("a withdrawn claim must not be granted")
	}
	if _, now := n.claim(key, nil, nil); !now {
		t.Error("a withdrawn claim must not hold the name")
	}
}

func TestLinkNamesAreApart(t *testing.T) {
	n := newLinkNames()
	keys := []linkKey{
		{container: "a", name: "l"},
		{container: "b", name: "l"},
		{container: "a", name: "m"},
		{container: "a", name: "l", sending: true},
		{name: "l"}, {name: "l"}, // no container id: nobody else can mean that link
	}
	for _, k := range keys {
		if _, now := n.claim(k, func() { t.Errorf("%+v was stolen", k) }, nil); !now {
			t.Errorf("%+v had to wait for a name that differs", k)
		}
	}
}
