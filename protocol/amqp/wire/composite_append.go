package wire

// fieldWriter appends the fields of one composite in their order; nulls at the
// end are left out.
type fieldWriter struct {
	b     []byte
	start int // of the list
	count int // fields so far
	// kept and keptLen are count and len(b) after the last field that is not null.
	kept, keptLen int
}

// writeFields appends the beginning of a composite.
func writeFields(b []byte, desc Descriptor) fieldWriter {
	b = append(b, codeDescribed, codeSmallUlong, byte(desc))
	return fieldWriter{start: len(b), b: openCompound(b)}
}

// close appends the end and returns the buffer.
func (w *fieldWriter) close() []byte {
	if w.kept == 0 {
		return append(w.b[:w.start], codeList0)
	}
	return closeCompound(w.b[:w.keptLen], w.start, codeList8, w.kept)
}

func (w *fieldWriter) null() {
	w.b = append(w.b, codeNull)
	w.count++
}

// put takes b, which is the buffer with one more field.
func (w *fieldWriter) put(b []byte) {
	w.b = b
	w.count++
	w.kept, w.keptLen = w.count, len(b)
}

func (w *fieldWriter) boolean(v bool) { w.put(AppendBoolean(w.b, v)) }

func (w *fieldWriter) optBoolean(v Opt[bool]) {
	if v.Set {
		w.boolean(v.V)
	} else {
		w.null()
	}
}

// flag is a boolean that is false by default.
func (w *fieldWriter) flag(v bool) { w.optBoolean(Opt[bool]{V: v, Set: v}) }

func (w *fieldWriter) ubyte(v uint8) { w.put(AppendUbyte(w.b, v)) }

func (w *fieldWriter) optUbyte(v Opt[uint8]) {
	if v.Set {
		w.ubyte(v.V)
	} else {
		w.null()
	}
}

// ubyteUnless is a ubyte with a default, which is left out.
func (w *fieldWriter) ubyteUnless(def, v uint8) { w.optUbyte(Opt[uint8]{V: v, Set: v != def}) }

func (w *fieldWriter) optUshort(v Opt[uint16]) {
	if v.Set {
		w.put(AppendUshort(w.b, v.V))
	} else {
		w.null()
	}
}

func (w *fieldWriter) uint(v uint32) { w.put(AppendUint(w.b, v)) }

func (w *fieldWriter) optUint(v Opt[uint32]) {
	if v.Set {
		w.uint(v.V)
	} else {
		w.null()
	}
}

// uintUnless is a uint with a default, which is left out.
func (w *fieldWriter) uintUnless(def, v uint32) { w.optUint(Opt[uint32]{V: v, Set: v != def}) }

func (w *fieldWriter) optTimestamp(v Opt[Timestamp]) {
	if v.Set {
		w.put(AppendTimestamp(w.b, v.V))
	} else {
		w.null()
	}
}

func (w *fieldWriter) string(v string) { w.put(AppendString(w.b, v)) }

// stringUnlessEmpty is a string whose absence is the empty Go string.
func (w *fieldWriter) stringUnlessEmpty(v string) {
	if v != "" {
		w.string(v)
	} else {
		w.null()
	}
}

func (w *fieldWriter) symbol(v Symbol) { w.put(AppendSymbol(w.b, v)) }

// symbolUnless is a symbol that is left out if it is empty or the default.
func (w *fieldWriter) symbolUnless(def, v Symbol) {
	if v != "" && v != def {
		w.symbol(v)
	} else {
		w.null()
	}
}

// binary is absent if it is nil.
func (w *fieldWriter) binary(v []byte) {
	if v != nil {
		w.put(AppendBinary(w.b, v))
	} else {
		w.null()
	}
}

// symbols is absent if it is empty, else an array.
func (w *fieldWriter) symbols(v []Symbol) {
	if len(v) == 0 {
		w.null()
		return
	}
	w.put(appendSymbols(w.b, v))
}

// fields is absent if it is nil.
func (w *fieldWriter) fields(v Map) {
	if v != nil {
		w.put(AppendAny(w.b, v))
	} else {
		w.null()
	}
}

// raw is absent if it is empty.
func (w *fieldWriter) raw(v Raw) {
	if len(v) > 0 {
		w.put(append(w.b, v...))
	} else {
		w.null()
	}
}

func (w *fieldWriter) any(v any) {
	if v != nil {
		w.put(AppendAny(w.b, v))
	} else {
		w.null()
	}
}

func (w *fieldWriter) ulong(v uint64) { w.put(AppendUlong(w.b, v)) }

// ulongUnlessZero is a ulong whose absence is 0.
func (w *fieldWriter) ulongUnlessZero(v uint64) {
	if v != 0 {
		w.ulong(v)
	} else {
		w.null()
	}
}
