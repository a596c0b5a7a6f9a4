package wire

import "bytes"

// Results of an authentication [amqp-security 5.3.3.6].
const (
	SASLOK         SASLCode = 0
	SASLAuth       SASLCode = 1
	SASLSystem     SASLCode = 2
	SASLSystemPerm SASLCode = 3
	SASLSystemTemp SASLCode = 4
)

// SASLCode is the result of an authentication.
type SASLCode uint8

// The SASL frames [amqp-security 5.3.3]. They own their memory.
type (
	// SASLMechanisms is the server's offer; at least one.
	SASLMechanisms struct{ SASLServerMechanisms []Symbol }

	// SASLInit is the client's choice. InitialResponse nil is absent; Hostname
	// empty is absent.
	SASLInit struct {
		Mechanism       Symbol
		InitialResponse []byte
		Hostname        string
	}

	// SASLChallenge is a question of the server's.
	SASLChallenge struct{ Challenge []byte }

	// SASLResponse is the client's answer to it.
	SASLResponse struct{ Response []byte }

	// SASLOutcome ends the dialogue.
	SASLOutcome struct {
		Code           SASLCode
		AdditionalData []byte
	}
)

// Descriptor returns DescSASLMechanisms.
func (*SASLMechanisms) Descriptor() Descriptor { return DescSASLMechanisms }

// Append implements Composite. REQUIRES: there is a mechanism.
func (s *SASLMechanisms) Append(b []byte) []byte {
	w := writeFields(b, DescSASLMechanisms)
	w.symbols(s.SASLServerMechanisms)
	return w.close()
}

// Decode implements Composite.
func (s *SASLMechanisms) Decode(r *Reader) error {
	f := readFields(r, DescSASLMechanisms)
	s.SASLServerMechanisms = f.symbols("sasl-server-mechanisms")
	// [amqp-security 5.3.3.1] "It is invalid for this list to be null or empty."
	if len(s.SASLServerMechanisms) == 0 {
		f.fail(invalidField("the field is mandatory"))
	}
	return f.close()
}

// Descriptor returns DescSASLInit.
func (*SASLInit) Descriptor() Descriptor { return DescSASLInit }

// Append implements Composite.
func (s *SASLInit) Append(b []byte) []byte {
	w := writeFields(b, DescSASLInit)
	w.symbol(s.Mechanism)
	w.binary(s.InitialResponse)
	w.stringUnlessEmpty(s.Hostname)
	return w.close()
}

// Decode implements Composite.
func (s *SASLInit) Decode(r *Reader) error {
	f := readFields(r, DescSASLInit)
	*s = SASLInit{
		Mechanism:       must(&f, f.symbol("mechanism")),
		InitialResponse: bytes.Clone(f.binary("initial-response")),
		Hostname:        f.string("hostname").V,
	}
	return f.close()
}

// Descriptor returns DescSASLChallenge.
func (*SASLChallenge) Descriptor() Descriptor { return DescSASLChallenge }

// Append implements Composite.
func (s *SASLChallenge) Append(b []byte) []byte {
	w := writeFields(b, DescSASLChallenge)
	w.put(AppendBinary(w.b, s.Challenge))
	return w.close()
}

// Decode implements Composite.
func (s *SASLChallenge) Decode(r *Reader) error {
	f := readFields(r, DescSASLChallenge)
	s.Challenge = f.mustBinary("challenge")
	return f.close()
}

// Descriptor returns DescSASLResponse.
func (*SASLResponse) Descriptor() Descriptor { return DescSASLResponse }

// Append implements Composite.
func (s *SASLResponse) Append(b []byte) []byte {
	w := writeFields(b, DescSASLResponse)
	w.put(AppendBinary(w.b, s.Response))
	return w.close()
}

// Decode implements Composite.
func (s *SASLResponse) Decode(r *Reader) error {
	f := readFields(r, DescSASLResponse)
	s.Response = f.mustBinary("response")
	return f.close()
}

// Descriptor returns DescSASLOutcome.
func (*SASLOutcome) Descriptor() Descriptor { return DescSASLOutcome }

// Append implements Composite.
func (s *SASLOutcome) Append(b []byte) []byte {
	w := writeFields(b, DescSASLOutcome)
	w.ubyte(uint8(s.Code))
	w.binary(s.AdditionalData)
	return w.close()
}

// Decode implements Composite.
func (s *SASLOutcome) Decode(r *Reader) error {
	f := readFields(r, DescSASLOutcome)
	*s = SASLOutcome{
		Code:           SASLCode(must(&f, f.choice("code", uint8(SASLSystemTemp)))),
		AdditionalData: bytes.Clone(f.binary("additional-data")),
	}
	return f.close()
}
