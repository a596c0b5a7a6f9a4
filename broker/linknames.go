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
	mu      sync.Mutex
	holders map[linkKey]*nameHolder
}

// nameHolder is one link's claim on its name.
type nameHolder struct {
	key    linkKey
	steal  func()      // asks the holder's connection to detach the link
	freed  func()      // tells that the name is the holder's now; nil when it has it
	waiter *nameHolder // at most one: a third newcomer steals from the second
}

func newLinkNames() *linkNames {
	return &linkNames{holders: map[linkKey]*nameHolder{}}
}

// claim asks for a name. It reports true when the name is the caller's at once.
// Otherwise the present holder has been asked to let go, and granted is called,
// from another goroutine, when it has. steal may be called from any goroutine, more
// than once, and must not block.
func (n *linkNames) claim(key linkKey, steal, granted func()) (h *nameHolder, now bool) {
	h = &nameHolder{key: key, steal: steal}
	if key.container == "" {
		return h, true
	}
	n.mu.Lock()
	last := n.holders[key]
	if last == nil {
		n.holders[key] = h
		n.mu.Unlock()
		return h, true
	}
	for last.waiter != nil {
		last = last.waiter
	}
	h.freed = granted
	last.waiter = h
	n.mu.Unlock()
	last.steal()
	return h, false
}

// release gives a name up, or withdraws a claim that still waits.
func (n *linkNames) release(h *nameHolder) {
	if h == nil || h.key.container == "" {
		return
	}
	n.mu.Lock()
	var granted func()
	if n.holders[h.key] == h {
		if next := h.waiter; next != nil {
			n.holders[h.key] = next
			granted, next.freed = next.freed, nil
		} else {
			delete(n.holders, h.key)
		}
	} else {
		for p := n.holders[h.key]; p != nil; p = p.waiter {
			if p.waiter == h {
				p.waiter = h.waiter
				break
			}
		}
	}
	n.mu.Unlock()
	if granted != nil {
		granted()
	}
}
