package eval

import (
	"encoding/hex"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"

	"github.com/tiercel/tiercel/pkg/rules/field"
)

// literal reads a value as a field's type has it. Networks are not values; see network.
func literal(t field.Type, text string) (field.Value, error) {
	switch t {
	case field.Charbuf, field.Bytebuf, field.Dynamic:
		return field.Text(text), nil
	case field.Boolean:
		switch text {
		case "true":
			return field.Bool(true), nil
		case "false":
			return field.Bool(false), nil
		}
		return field.Value{}, fmt.Errorf("'%s' is no truth value: expected true or false", text)
	case field.Double:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(f) {
			return field.Value{}, fmt.Errorf("'%s' is no number: expected one such as 12 or 0.5", text)
		}
		return field.Float(f), nil
	case field.IPAddr:
		a, err := netip.ParseAddr(text)
		if err != nil || a.Zone() != "" {
			return field.Value{}, fmt.Errorf("'%s' is no IP address: expected one such as 192.0.2.1 or 2001:db8::1", text)
		}
		return field.Addr(a), nil
	case field.Port:
		if n, ok := services[text]; ok {
			return field.Uint(uint64(n)), nil
		}
		v, err := integer(text)
		if err != nil || v.IsNegative() || v.Num() > math.MaxUint16 {
			return field.Value{}, fmt.Errorf("'%s' is no port: expected a number up to 65535, or the name of a well-known service", text)
		}
		return v, nil
	default:
		v, err := integer(text)
		if err == nil && !fits(t, v) {
			err = fmt.Errorf("%s is too large for a field of type %s", text, t)
		}
		return v, err
	}
}

// network reads an address range, which needs a slash.
func network(text string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("'%s' is no IP network: expected an address, a slash and a number of bits, as in 192.0.2.0/24", text)
	}
	if a := p.Addr(); a.Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
	}
	return p.Masked(), nil
}

// integer reads a decimal or hexadecimal number with an optional sign.
func integer(text string) (field.Value, error) {
	digits, negative := strings.CutPrefix(text, "-")
	if !negative {
		digits = strings.TrimPrefix(text, "+")
	}
	base := 10
	if rest, ok := strings.CutPrefix(strings.ToLower(digits), "0x"); ok {
		digits, base = rest, 16
	}
	n, err := strconv.ParseUint(digits, base, 64)
	if err != nil || negative && n > 1<<63 {
		return field.Value{}, fmt.Errorf("'%s' is no number: expected a whole one, decimal or hexadecimal after 0x", text)
	}
	if negative {
		return field.Int(-int64(n)), nil //nolint:gosec // at most 1<<63, whose negation is itself
	}
	return field.Uint(n), nil
}

// fits reports whether a number can be a value of the type. Negative numbers are taken for any type: they equal
// nothing that is unsigned.
func fits(t field.Type, v field.Value) bool {
	n := v.Num()
	if v.IsNegative() {
		return true
	}
	switch t {
	case field.Int16:
		return n <= math.MaxInt16
	case field.Int32:
		return n <= math.MaxInt32
	case field.Uint32:
		return n <= math.MaxUint32
	case field.Int64:
		return n <= math.MaxInt64
	}
	return true
}

// hexBytes reads the literal of bcontains and bstartswith.
func hexBytes(text string) (string, error) {
	b, err := hex.DecodeString(text)
	if err != nil {
		return "", fmt.Errorf("'%s' is no hexadecimal text: expected two digits for each byte, as in 7f454c46", text)
	}
	return string(b), nil
}

// services are the names that literals of ports may have; the common ones of /etc/services.
var services = map[string]uint16{
	"echo": 7, "discard": 9, "systat": 11, "daytime": 13, "ftp-data": 20, "ftp": 21, "ssh": 22, "telnet": 23, "smtp": 25,
	"time": 37, "whois": 43, "domain": 53, "bootps": 67, "bootpc": 68, "tftp": 69, "gopher": 70, "finger": 79,
	"http": 80, "kerberos": 88, "pop2": 109, "pop3": 110, "sunrpc": 111, "auth": 113, "nntp": 119, "ntp": 123,
	"netbios-ns": 137, "netbios-dgm": 138, "netbios-ssn": 139, "imap2": 143, "imap": 143, "snmp": 161, "snmp-trap": 162,
	"bgp": 179, "irc": 194, "ldap": 389, "https": 443, "microsoft-ds": 445, "submissions": 465, "syslog": 514,
	"shell": 514, "exec": 512, "login": 513, "printer": 515, "submission": 587, "ldaps": 636, "rsync": 873,
	"imaps": 993, "pop3s": 995, "socks": 1080, "openvpn": 1194, "ms-sql-s": 1433, "mqtt": 1883, "nfs": 2049,
	"mysql": 3306, "ms-wbt-server": 3389, "svn": 3690, "postgresql": 5432, "amqp": 5672, "x11": 6000, "redis": 6379,
	"http-alt": 8080, "zabbix-agent": 10050, "zabbix-trapper": 10051, "memcached": 11211, "mongodb": 27017,
}
