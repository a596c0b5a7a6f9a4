package wire

// Limits of what is read.
const (
	MaxDepth         = 32
	MaxEmptyElements = 1024
)

const todo = "unimplemented"

func (d Descriptor) String() string               { panic(todo) }
func PeekDescriptor(p []byte) (Descriptor, error) { panic(todo) }

// ---- appending primitives: the smallest encoding
func AppendNull(b []byte) []byte                     { panic(todo) }
func AppendBoolean(b []byte, v bool) []byte          { panic(todo) }
func AppendUbyte(b []byte, v uint8) []byte           { panic(todo) }
func AppendUshort(b []byte, v uint16) []byte         { panic(todo) }
func AppendUint(b []byte, v uint32) []byte           { panic(todo) }
func AppendUlong(b []byte, v uint64) []byte          { panic(todo) }
func AppendSignedByte(b []byte, v int8) []byte       { panic(todo) }
func AppendShort(b []byte, v int16) []byte           { panic(todo) }
func AppendInt(b []byte, v int32) []byte             { panic(todo) }
func AppendLong(b []byte, v int64) []byte            { panic(todo) }
func AppendFloat(b []byte, v float32) []byte         { panic(todo) }
func AppendDouble(b []byte, v float64) []byte        { panic(todo) }
func AppendChar(b []byte, v Char) []byte             { panic(todo) }
func AppendTimestamp(b []byte, v Timestamp) []byte   { panic(todo) }
func AppendUUID(b []byte, v UUID) []byte             { panic(todo) }
func AppendBinary(b []byte, v []byte) []byte         { panic(todo) }
func AppendString(b []byte, v string) []byte         { panic(todo) }
func AppendSymbol(b []byte, v Symbol) []byte         { panic(todo) }
func AppendDescriptor(b []byte, d Descriptor) []byte { panic(todo) }

// AppendAny panics on a Go type that ReadAny never returns.
func AppendAny(b []byte, v any) []byte { panic(todo) }

// ---- Reader
type Reader struct {
	buf []byte
	off int
}

func NewReader(p []byte) Reader                       { panic(todo) }
func (r *Reader) Len() int                            { panic(todo) } // bytes left
func (r *Reader) Offset() int                         { panic(todo) } // bytes read
func (r *Reader) Rest() []byte                        { panic(todo) } // what is left, e.g. a transfer's payload; aliases
func (r *Reader) TryNull() bool                       { panic(todo) }
func (r *Reader) ReadBoolean() (bool, error)          { panic(todo) }
func (r *Reader) ReadUbyte() (uint8, error)           { panic(todo) }
func (r *Reader) ReadUshort() (uint16, error)         { panic(todo) }
func (r *Reader) ReadUint() (uint32, error)           { panic(todo) }
func (r *Reader) ReadUlong() (uint64, error)          { panic(todo) }
func (r *Reader) ReadSignedByte() (int8, error)       { panic(todo) }
func (r *Reader) ReadShort() (int16, error)           { panic(todo) }
func (r *Reader) ReadInt() (int32, error)             { panic(todo) }
func (r *Reader) ReadLong() (int64, error)            { panic(todo) }
func (r *Reader) ReadFloat() (float32, error)         { panic(todo) }
func (r *Reader) ReadDouble() (float64, error)        { panic(todo) }
func (r *Reader) ReadChar() (Char, error)             { panic(todo) }
func (r *Reader) ReadTimestamp() (Timestamp, error)   { panic(todo) }
func (r *Reader) ReadUUID() (UUID, error)             { panic(todo) }
func (r *Reader) ReadBinary() ([]byte, error)         { panic(todo) } // aliases
func (r *Reader) ReadString() (string, error)         { panic(todo) } // copies
func (r *Reader) ReadStringBytes() ([]byte, error)    { panic(todo) } // aliases
func (r *Reader) ReadSymbol() (Symbol, error)         { panic(todo) } // copies, or one of the known symbols
func (r *Reader) ReadSymbolBytes() ([]byte, error)    { panic(todo) } // aliases
func (r *Reader) ReadDescriptor() (Descriptor, error) { panic(todo) }
func (r *Reader) ReadAny() (any, error)               { panic(todo) } // owns its memory
func (r *Reader) ReadMap() (Map, error)               { panic(todo) } // owns its memory; null is a nil Map
func (r *Reader) ReadRaw() (Raw, error)               { panic(todo) } // aliases; the next value, not decoded
func (r *Reader) Skip() error                         { panic(todo) }

func (d DeliveryState) Append(b []byte) []byte  { panic(todo) } // null for StateNone
func (d *DeliveryState) Decode(r *Reader) error { panic(todo) }
func (d DeliveryState) Clone() DeliveryState    { panic(todo) }
func (k StateKind) String() string              { panic(todo) }

// StateAcceptedValue and the like: DeliveryState{Kind: StateAccepted}.

// ---- frames
const FrameHeaderSize = 8

type FrameType uint8

const (
	FrameAMQP FrameType = 0
	FrameSASL FrameType = 1
)

type FrameHeader struct {
	Size       uint32 // of the whole frame, bytes
	DataOffset uint8  // in 4-byte words
	Type       FrameType
	Channel    uint16 // AMQP frames only
}

// ParseFrameHeader: p has at least FrameHeaderSize bytes. maxSize is what we announced.
func ParseFrameHeader(p []byte, maxSize uint32) (FrameHeader, error) { panic(todo) }

// Body of the frame whose bytes are p (h.Size of them).
func (h FrameHeader) Body(p []byte) []byte { panic(todo) }

// BeginFrame appends a header with the size left open; EndFrame(b, start) fills it in, where start is len(b) before BeginFrame.
func BeginFrame(b []byte, t FrameType, channel uint16) []byte { panic(todo) }
func EndFrame(b []byte, start int)                            { panic(todo) }

// AppendEmptyFrame appends a heartbeat.
func AppendEmptyFrame(b []byte) []byte { panic(todo) }

const ProtocolHeaderSize = 8

type ProtocolID uint8

const (
	ProtocolAMQP ProtocolID = 0
	ProtocolTLS  ProtocolID = 2
	ProtocolSASL ProtocolID = 3
)

func AppendProtocolHeader(b []byte, id ProtocolID) []byte { panic(todo) }

// ParseProtocolHeader looks at the first min(len(p), 8) bytes: an error comes as soon as they can't become a header "AMQP" id 1 0 0; complete is false while bytes are missing.
func ParseProtocolHeader(p []byte) (id ProtocolID, complete bool, err error) { panic(todo) }

// ---- messages
type Span struct{ Start, End int } // of a section, descriptor included; empty: absent
func (s Span) Of(p []byte) []byte  { panic(todo) }
func (s Span) Empty() bool         { panic(todo) }

type BodyKind uint8

const (
	BodyNone BodyKind = iota
	BodyData
	BodySequence
	BodyValue
)

type Sections struct {
	Header, DeliveryAnnotations, MessageAnnotations, Properties, ApplicationProperties, Body, Footer Span
	BodyKind                                                                                         BodyKind
}

func ScanMessage(p []byte) (Sections, error) { panic(todo) }

// Expiry is what a message says about its end, without allocating.
type Expiry struct {
	TTL                Opt[uint32]
	AbsoluteExpiryTime Opt[Timestamp]
}

func (s *Sections) Expiry(p []byte) (Expiry, error) { panic(todo) }

// SplitMessage decodes the header (zero if there is none), steps over the delivery annotations, and returns the rest, which aliases p. It looks at nothing else.
func SplitMessage(p []byte) (h Header, rest []byte, err error) { panic(todo) }

// Patch is what a node changes in a message's header at delivery.
type Patch struct {
	Durable          Opt[bool]   // absent: as it came
	Priority         Opt[uint8]  // absent: as it came
	TTL              Opt[uint32] // what remains, ms; absent: as it came
	FirstAcquirer    bool
	FailedDeliveries uint32 // at this node; added to the count that the message came with
}

// AppendPatched appends the new header to dst (head is the extended dst) and returns the rest of the message from the message annotations on, aliasing msg. Delivery annotations are dropped.
func AppendPatched(dst, msg []byte, p Patch) (head, rest []byte, err error) { panic(todo) }

// AppendPatchedAnnotated: the same, and merges extra (a map) into the message annotations; head has both sections.
func AppendPatchedAnnotated(dst, msg []byte, p Patch, extra Raw) (head, rest []byte, err error) {
	panic(todo)
}

// MergeAnnotations appends a map of the entries of base, replaced or followed by those of extra. Either may be nil or null.
func MergeAnnotations(dst []byte, base, extra Raw) ([]byte, error) { panic(todo) }

// Message is a whole decoded message, for tools and tests.
type Message struct {
	Header                *Header
	DeliveryAnnotations   Map
	MessageAnnotations    Map
	Properties            *Properties
	ApplicationProperties Map
	Data                  [][]byte // data sections
	Sequences             []List   // amqp-sequence sections
	Value                 Opt[any] // amqp-value section
	Footer                Map
}

func (m *Message) Append(b []byte) []byte                   { panic(todo) }
func (m *Message) Decode(p []byte) error                    { panic(todo) } // owns its memory
func (*Open) Descriptor() Descriptor                        { return DescOpen }
func (x *Open) Append(b []byte) []byte                      { panic(todo) }
func (x *Open) Decode(r *Reader) error                      { panic(todo) }
func (*Begin) Descriptor() Descriptor                       { return DescBegin }
func (x *Begin) Append(b []byte) []byte                     { panic(todo) }
func (x *Begin) Decode(r *Reader) error                     { panic(todo) }
func (*Attach) Descriptor() Descriptor                      { return DescAttach }
func (x *Attach) Append(b []byte) []byte                    { panic(todo) }
func (x *Attach) Decode(r *Reader) error                    { panic(todo) }
func (*Flow) Descriptor() Descriptor                        { return DescFlow }
func (x *Flow) Append(b []byte) []byte                      { panic(todo) }
func (x *Flow) Decode(r *Reader) error                      { panic(todo) }
func (*Transfer) Descriptor() Descriptor                    { return DescTransfer }
func (x *Transfer) Append(b []byte) []byte                  { panic(todo) }
func (x *Transfer) Decode(r *Reader) error                  { panic(todo) }
func (*Disposition) Descriptor() Descriptor                 { return DescDisposition }
func (x *Disposition) Append(b []byte) []byte               { panic(todo) }
func (x *Disposition) Decode(r *Reader) error               { panic(todo) }
func (*Detach) Descriptor() Descriptor                      { return DescDetach }
func (x *Detach) Append(b []byte) []byte                    { panic(todo) }
func (x *Detach) Decode(r *Reader) error                    { panic(todo) }
func (*End) Descriptor() Descriptor                         { return DescEnd }
func (x *End) Append(b []byte) []byte                       { panic(todo) }
func (x *End) Decode(r *Reader) error                       { panic(todo) }
func (*Close) Descriptor() Descriptor                       { return DescClose }
func (x *Close) Append(b []byte) []byte                     { panic(todo) }
func (x *Close) Decode(r *Reader) error                     { panic(todo) }
func (*Error) Descriptor() Descriptor                       { return DescError }
func (x *Error) Append(b []byte) []byte                     { panic(todo) }
func (x *Error) Decode(r *Reader) error                     { panic(todo) }
func (*Received) Descriptor() Descriptor                    { return DescReceived }
func (x *Received) Append(b []byte) []byte                  { panic(todo) }
func (x *Received) Decode(r *Reader) error                  { panic(todo) }
func (*Accepted) Descriptor() Descriptor                    { return DescAccepted }
func (x *Accepted) Append(b []byte) []byte                  { panic(todo) }
func (x *Accepted) Decode(r *Reader) error                  { panic(todo) }
func (*Rejected) Descriptor() Descriptor                    { return DescRejected }
func (x *Rejected) Append(b []byte) []byte                  { panic(todo) }
func (x *Rejected) Decode(r *Reader) error                  { panic(todo) }
func (*Released) Descriptor() Descriptor                    { return DescReleased }
func (x *Released) Append(b []byte) []byte                  { panic(todo) }
func (x *Released) Decode(r *Reader) error                  { panic(todo) }
func (*Modified) Descriptor() Descriptor                    { return DescModified }
func (x *Modified) Append(b []byte) []byte                  { panic(todo) }
func (x *Modified) Decode(r *Reader) error                  { panic(todo) }
func (*Source) Descriptor() Descriptor                      { return DescSource }
func (x *Source) Append(b []byte) []byte                    { panic(todo) }
func (x *Source) Decode(r *Reader) error                    { panic(todo) }
func (*Target) Descriptor() Descriptor                      { return DescTarget }
func (x *Target) Append(b []byte) []byte                    { panic(todo) }
func (x *Target) Decode(r *Reader) error                    { panic(todo) }
func (*DeleteOnClose) Descriptor() Descriptor               { return DescDeleteOnClose }
func (x *DeleteOnClose) Append(b []byte) []byte             { panic(todo) }
func (x *DeleteOnClose) Decode(r *Reader) error             { panic(todo) }
func (*DeleteOnNoLinks) Descriptor() Descriptor             { return DescDeleteOnNoLinks }
func (x *DeleteOnNoLinks) Append(b []byte) []byte           { panic(todo) }
func (x *DeleteOnNoLinks) Decode(r *Reader) error           { panic(todo) }
func (*DeleteOnNoMessages) Descriptor() Descriptor          { return DescDeleteOnNoMessages }
func (x *DeleteOnNoMessages) Append(b []byte) []byte        { panic(todo) }
func (x *DeleteOnNoMessages) Decode(r *Reader) error        { panic(todo) }
func (*DeleteOnNoLinksOrMessages) Descriptor() Descriptor   { return DescDeleteOnNoLinksOrMessages }
func (x *DeleteOnNoLinksOrMessages) Append(b []byte) []byte { panic(todo) }
func (x *DeleteOnNoLinksOrMessages) Decode(r *Reader) error { panic(todo) }
func (*Coordinator) Descriptor() Descriptor                 { return DescCoordinator }
func (x *Coordinator) Append(b []byte) []byte               { panic(todo) }
func (x *Coordinator) Decode(r *Reader) error               { panic(todo) }
func (*Declare) Descriptor() Descriptor                     { return DescDeclare }
func (x *Declare) Append(b []byte) []byte                   { panic(todo) }
func (x *Declare) Decode(r *Reader) error                   { panic(todo) }
func (*Discharge) Descriptor() Descriptor                   { return DescDischarge }
func (x *Discharge) Append(b []byte) []byte                 { panic(todo) }
func (x *Discharge) Decode(r *Reader) error                 { panic(todo) }
func (*Declared) Descriptor() Descriptor                    { return DescDeclared }
func (x *Declared) Append(b []byte) []byte                  { panic(todo) }
func (x *Declared) Decode(r *Reader) error                  { panic(todo) }
func (*TransactionalState) Descriptor() Descriptor          { return DescTransactionalState }
func (x *TransactionalState) Append(b []byte) []byte        { panic(todo) }
func (x *TransactionalState) Decode(r *Reader) error        { panic(todo) }
func (*SASLMechanisms) Descriptor() Descriptor              { return DescSASLMechanisms }
func (x *SASLMechanisms) Append(b []byte) []byte            { panic(todo) }
func (x *SASLMechanisms) Decode(r *Reader) error            { panic(todo) }
func (*SASLInit) Descriptor() Descriptor                    { return DescSASLInit }
func (x *SASLInit) Append(b []byte) []byte                  { panic(todo) }
func (x *SASLInit) Decode(r *Reader) error                  { panic(todo) }
func (*SASLChallenge) Descriptor() Descriptor               { return DescSASLChallenge }
func (x *SASLChallenge) Append(b []byte) []byte             { panic(todo) }
func (x *SASLChallenge) Decode(r *Reader) error             { panic(todo) }
func (*SASLResponse) Descriptor() Descriptor                { return DescSASLResponse }
func (x *SASLResponse) Append(b []byte) []byte              { panic(todo) }
func (x *SASLResponse) Decode(r *Reader) error              { panic(todo) }
func (*SASLOutcome) Descriptor() Descriptor                 { return DescSASLOutcome }
func (x *SASLOutcome) Append(b []byte) []byte               { panic(todo) }
func (x *SASLOutcome) Decode(r *Reader) error               { panic(todo) }
func (*Header) Descriptor() Descriptor                      { return DescHeader }
func (x *Header) Append(b []byte) []byte                    { panic(todo) }
func (x *Header) Decode(r *Reader) error                    { panic(todo) }
func (*Properties) Descriptor() Descriptor                  { return DescProperties }
func (x *Properties) Append(b []byte) []byte                { panic(todo) }
func (x *Properties) Decode(r *Reader) error                { panic(todo) }
func (e *Error) Error() string                              { panic(todo) }
