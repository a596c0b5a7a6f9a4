package wire

// What a node does to a stored message when it sends it: the header is written
// anew, the delivery annotations, which were for this node, go, and all the rest
// stays as it came, byte for byte.
//
//	stored:  [header] [delivery-annotations] [message-annotations] [bare message]
//	sent:     header'                        [message-annotations] [bare message]
//	          head (copied)                   rest (aliases the stored message)
//
// Only if the message was modified with annotations, head has them as well:
//
//	sent:     header'                         message-annotations' [bare message]
//	          head (copied)                                         rest

// SplitMessage decodes the header of the message p (zero if there is none), steps
// over the delivery annotations and returns the rest, which aliases p. It looks at
// nothing else, so its cost does not depend on the message's size.
func SplitMessage(p []byte) (h Header, rest []byte, err error) {
	r := NewReader(p)
	if r.follows(DescHeader) {
		if err := h.Decode(&r); err != nil {
			return h, nil, err
		}
	}
	if r.follows(DescDeliveryAnnotations) {
		if err := r.Skip(); err != nil {
			return h, nil, sectionError(DescDeliveryAnnotations, err)
		}
	}
	return h, r.Rest(), nil
}

// follows reports whether the next value is described by d.
func (r *Reader) follows(d Descriptor) bool {
	if r.Len() == 0 {
		return false
	}
	got, err := r.peekDescriptor()
	return err == nil && got == d
}

// Patch is what a node changes in the header of a message that it delivers.
type Patch struct {
	// Durable, Priority and TTL stay as they came where they are absent. TTL is
	// what remains, in milliseconds.
	Durable  Opt[bool]
	Priority Opt[uint8]
	TTL      Opt[uint32]
	// MinTTL is what a ttl counts as at least. No more remains than this or the ttl that
	// the message came with, whatever clocks say.
	MinTTL uint32
	// FirstAcquirer is true if no link has had the message before at this node.
	FirstAcquirer bool
	// FailedDeliveries are those of this node; they are added to the
	// delivery-count that the message came with.
	FailedDeliveries uint32
}

func (p *Patch) apply(h *Header) {
	h.Durable = p.Durable.Or(h.Durable)
	if p.Priority.Set {
		h.Priority = p.Priority
	}
	if p.TTL.Set {
		remains := p.TTL.Or(0)
		if h.TTL.Set {
			remains = min(remains, max(h.TTL.Or(0), p.MinTTL))
		}
		h.TTL = Some(remains)
	}
	h.FirstAcquirer = p.FirstAcquirer
	h.DeliveryCount += p.FailedDeliveries
	if h.DeliveryCount < p.FailedDeliveries {
		h.DeliveryCount = 1<<32 - 1
	}
}

// AppendPatched appends the new header of the message msg to dst, which becomes
// head, and returns the rest of the message, which aliases msg. It allocates
// nothing but what dst lacks.
func AppendPatched(dst, msg []byte, p Patch) (head, rest []byte, err error) {
	h, rest, err := SplitMessage(msg)
	if err != nil {
		return dst, nil, err
	}
	p.apply(&h)
	return h.Append(dst), rest, nil
}

// AppendPatchedAnnotated is AppendPatched with the map extra merged into the
// message annotations, which are in head then. For extra see MergeAnnotations.
func AppendPatchedAnnotated(dst, msg []byte, p Patch, extra Raw) (head, rest []byte, err error) {
	head, rest, err = AppendPatched(dst, msg, p)
	if err != nil {
		return dst, nil, err
	}
	var base Raw
	r := NewReader(rest)
	if r.follows(DescMessageAnnotations) {
		if _, err := r.ReadDescriptor(); err != nil {
			return dst, nil, err
		}
		if base, err = r.ReadRaw(); err != nil {
			return dst, nil, sectionError(DescMessageAnnotations, err)
		}
	}
	head = AppendDescriptor(head, DescMessageAnnotations)
	if head, err = MergeAnnotations(head, base, extra); err != nil {
		return dst, nil, err
	}
	return head, r.Rest(), nil
}

// MergeAnnotations appends a map to dst: the entries of the map base in their
// order, and where extra has the same key, with its value; then the other entries
// of extra. Entries are copied as they stand. Each of the maps may be nil or null.
// [amqp-messaging 3.4.5, message-annotations]
func MergeAnnotations(dst []byte, base, extra Raw) ([]byte, error) {
	old, err := entries(base)
	if err != nil {
		return dst, sectionError(DescMessageAnnotations, err)
	}
	added, err := entries(extra)
	if err != nil {
		return dst, sectionError(DescMessageAnnotations, err)
	}
	latest := make(map[string]Raw, len(added))
	for _, e := range added {
		latest[e.key] = e.pair
	}
	start, count := len(dst), 0
	dst = openCompound(dst)
	for _, e := range old {
		if pair, ok := latest[e.key]; ok {
			e.pair = pair
			delete(latest, e.key)
		}
		dst = append(dst, e.pair...)
		count++
	}
	for _, e := range added {
		if pair, ok := latest[e.key]; ok {
			dst = append(dst, pair...)
			delete(latest, e.key)
			count++
		}
	}
	return closeCompound(dst, start, codeMap8, 2*count), nil
}

// entry is one entry of an encoded map.
type entry struct {
	key  string // see canonicalKey
	pair Raw    // key and value as they stand
}

func entries(m Raw) ([]entry, error) {
	r := NewReader(m)
	if len(m) == 0 || r.TryNull() {
		return nil, nil
	}
	count, outer, err := r.enter(TypeMap)
	if err != nil {
		return nil, err
	}
	list := make([]entry, 0, count/2)
	for range count / 2 {
		start := r.off
		key, err := r.ReadRaw()
		if err != nil {
			return nil, err
		}
		if err := r.Skip(); err != nil {
			return nil, err
		}
		list = append(list, entry{key: canonicalKey(key), pair: Raw(r.buf[start:r.off])})
	}
	return list, r.leave(outer)
}

// canonicalKey makes equal keys equal, however they are encoded. Annotations have
// symbols and ulongs for keys [amqp-messaging 3.2.10]; other keys are compared as
// they stand, so that a message with them can still be sent.
func canonicalKey(key Raw) string {
	r := NewReader(key)
	switch typeOf[key[0]] {
	case TypeSymbol:
		if p, err := r.ReadSymbolBytes(); err == nil {
			return string(AppendSymbol(nil, Symbol(p)))
		}
	case TypeUlong:
		if n, err := r.ReadUlong(); err == nil {
			return string(AppendUlong(nil, n))
		}
	}
	return string(key)
}
