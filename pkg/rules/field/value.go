package field

import (
	"encoding/binary"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"unsafe"
)

// Kind is what a [Value] holds.
type Kind uint8

// The kinds. The zero Kind is Missing: the field has no value for this event.
const (
	Missing Kind = iota
	KindText
	KindBytes
	KindBool
	KindInt
	KindUint
	KindFloat
	KindAddr4
	KindAddr6
)

// Value is what an event gives for a field. The zero Value is a missing one. Values are small and hold no pointers
// but that of their text, so giving one costs no allocation.
type Value struct {
	text string
	num  uint64 // the number; the truth; the lower half of an address
	high uint64 // the upper half of an IPv6 address
	kind Kind
}

// Text makes a text.
func Text(text string) Value { return Value{text: text, kind: KindText} }

// Bytes makes a byte buffer. b must not change while the value is in use.
func Bytes(b []byte) Value {
	return Value{text: unsafe.String(unsafe.SliceData(b), len(b)), kind: KindBytes} //nolint:gosec // the caller has promised not to change it
}

// Bool makes a truth value.
func Bool(truth bool) Value {
	v := Value{kind: KindBool}
	if truth {
		v.num = 1
	}
	return v
}

// Int makes a signed number.
func Int(n int64) Value { return Value{num: uint64(n), kind: KindInt} } //nolint:gosec // two's complement, read back as such

// Uint makes an unsigned number.
func Uint(n uint64) Value { return Value{num: n, kind: KindUint} }

// Float makes a number with a fraction.
func Float(f float64) Value { return Value{num: math.Float64bits(f), kind: KindFloat} }

// Addr makes an address; IPv4 addresses in IPv6 form become IPv4. An invalid address is a missing value.
func Addr(a netip.Addr) Value {
	a = a.Unmap()
	switch {
	case a.Is4():
		b := a.As4()
		return Value{num: uint64(b[0])<<24 | uint64(b[1])<<16 | uint64(b[2])<<8 | uint64(b[3]), kind: KindAddr4}
	case a.Is6():
		b := a.As16()
		v := Value{kind: KindAddr6}
		for i := range 8 {
			v.high = v.high<<8 | uint64(b[i])
			v.num = v.num<<8 | uint64(b[i+8])
		}
		return v
	}
	return Value{}
}

// Kind says what the value holds.
func (v Value) Kind() Kind { return v.kind }

// Exists reports whether the event has the field.
func (v Value) Exists() bool { return v.kind != Missing }

// Str is the text or the bytes; "" for other kinds.
func (v Value) Str() string { return v.text }

// Num is the number as two's complement, the truth as 0 or 1, or the bits of a fraction.
func (v Value) Num() uint64 { return v.num }

// IsNegative reports whether the value is a number below zero.
func (v Value) IsNegative() bool { return v.kind == KindInt && int64(v.num) < 0 } //nolint:gosec // two's complement

// Truth is the truth value.
func (v Value) Truth() bool { return v.kind == KindBool && v.num != 0 }

// Float64 is any number as a fraction.
func (v Value) Float64() float64 {
	switch v.kind {
	case KindFloat:
		return math.Float64frombits(v.num)
	case KindInt:
		return float64(int64(v.num)) //nolint:gosec // two's complement
	default:
		return float64(v.num)
	}
}

// IP is the address; the zero Addr for other kinds.
func (v Value) IP() netip.Addr {
	switch v.kind {
	case KindAddr4:
		var b [8]byte
		binary.BigEndian.PutUint64(b[:], v.num)
		return netip.AddrFrom4([4]byte(b[4:]))
	case KindAddr6:
		var b [16]byte
		binary.BigEndian.PutUint64(b[:8], v.high)
		binary.BigEndian.PutUint64(b[8:], v.num)
		return netip.AddrFrom16(b)
	}
	return netip.Addr{}
}

// Equal reports whether both are of one kind and the same. Missing values equal nothing.
func (v Value) Equal(o Value) bool {
	return v.kind != Missing && v.kind == o.kind && v.num == o.num && v.high == o.high && v.text == o.text
}

// Compare orders two numbers of any kind, or two texts. It returns false when they cannot be compared.
func (v Value) Compare(o Value) (int, bool) {
	switch {
	case v.kind == KindText || v.kind == KindBytes:
		if o.kind != KindText && o.kind != KindBytes {
			return 0, false
		}
		return strings.Compare(v.text, o.text), true
	case !v.isNumber() || !o.isNumber():
		return 0, false
	case v.kind == KindFloat || o.kind == KindFloat:
		a, b := v.Float64(), o.Float64()
		switch {
		case a < b:
			return -1, true
		case a > b:
			return 1, true
		case a == b:
			return 0, true
		}
		return 0, false // not a number
	}
	if n, m := v.IsNegative(), o.IsNegative(); n != m {
		if n {
			return -1, true
		}
		return 1, true
	}
	// Of equal sign, two's complement orders as unsigned numbers do.
	switch {
	case v.num < o.num:
		return -1, true
	case v.num > o.num:
		return 1, true
	}
	return 0, true
}

func (v Value) isNumber() bool { return v.kind == KindInt || v.kind == KindUint || v.kind == KindFloat }

// AppendText appends the value as outputs show it. Bytes that cannot be printed become dots; a missing value adds
// nothing.
func (v Value) AppendText(dst []byte) []byte {
	switch v.kind {
	case KindText:
		return append(dst, v.text...)
	case KindBytes:
		for i := range len(v.text) {
			if c := v.text[i]; c >= 0x20 && c < 0x7f {
				dst = append(dst, c)
			} else {
				dst = append(dst, '.')
			}
		}
		return dst
	case KindBool:
		return strconv.AppendBool(dst, v.num != 0)
	case KindInt:
		return strconv.AppendInt(dst, int64(v.num), 10) //nolint:gosec // two's complement
	case KindUint:
		return strconv.AppendUint(dst, v.num, 10)
	case KindFloat:
		return strconv.AppendFloat(dst, v.Float64(), 'f', -1, 64)
	case KindAddr4, KindAddr6:
		return v.IP().AppendTo(dst)
	}
	return dst
}

// String gives what [Value.AppendText] appends.
func (v Value) String() string {
	if v.kind == KindText {
		return v.text
	}
	return string(v.AppendText(nil))
}
