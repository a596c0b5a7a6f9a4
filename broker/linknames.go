package broker

import "sync"

// linkKey names a link the way the specification does: by the two containers and
// the link's name, for each direction [amqp-transport 2.6.1]. Our own container is
// the same for all.
type linkKey struct {
	container string
	name      string
	sending   bool // the broker's role is sender
}

// linkNames knows which link holds a name now. A second attach by the same name
// steals it: "it is possible for a link to be stolen by another session; the link
// endpoint is then detached with amqp:link:stolen" [amqp-transport 2.6.1]. The newcomer
// waits until the old holder has let go, so that the old one's unsettled messages
// are back in the queue before the new one asks for messages.
//
// A client that gives no container id has no name that others could mean, so its
// links are never stolen.
type linkNames struct {
	mu    sync.Mutex
	lines map[linkKey]nameLine
}

// nameLine is who holds a name, and behind it who waits for it: usually nobody, and
// one while a link is being stolen. A client may make it long, so every step costs
// the same.
type nameLine struct {
	holder, last *nameHolder
}

// nameHolder is one link's claim on its name.
type nameHolder struct {
	key        linkKey
	steal      func() // asks the holder's connection to detach the link
	granted    func() // tells that the name is the holder's now
	prev, next *nameHolder
	released   bool
}

func newLinkNames() *linkNames {
	return &linkNames{lines: map[linkKey]nameLine{}}
}

// claim asks for a name. It reports true when the name is the caller's at once.
// Otherwise who is last in its line has been asked to let go, and granted is called,
// from another goroutine, when all before have. steal may be called from any
// goroutine, more than once, and must not block.
func (n *linkNames) claim(key linkKey, steal, granted func()) (h *nameHolder, now bool) {
	h = &nameHolder{key: key, steal: steal, granted: granted}
	if key.container == "" {
		return h, true
	}
	n.mu.Lock()
	line, taken := n.lines[key]
	before := line.last
	if !taken {
		line.holder = h
	} else {
		before.next, h.prev = h, before
	}
	line.last = h
	n.lines[key] = line
	n.mu.Unlock()
	if taken {
		before.steal()
	}
	return h, !taken
}

// release gives a name up, or withdraws a claim that still waits; once.
func (n *linkNames) release(h *nameHolder) {
	if h == nil || h.key.container == "" {
		return
	}
	n.mu.Lock()
	heir := n.leave(h)
	n.mu.Unlock()
	if heir != nil {
		heir.granted()
	}
}

// leave takes h out of its line; heir is who has the name now because of that.
// REQUIRES: n.mu is held.
func (n *linkNames) leave(h *nameHolder) (heir *nameHolder) {
	if h.released {
		return nil
	}
	h.released = true
	line := n.lines[h.key]
	if h.prev != nil {
		h.prev.next = h.next
	} else {
		line.holder, heir = h.next, h.next
	}
	if h.next != nil {
		h.next.prev = h.prev
	} else {
		line.last = h.prev
	}
	if line.holder == nil {
		delete(n.lines, h.key)
	} else {
		n.lines[h.key] = line
	}
	return heir
}
