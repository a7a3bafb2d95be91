package proctree

// list is processes in some order, linked through themselves: none is in two lists.
type list struct {
	first, last *Process
	len         int
}

func (l *list) push(p *Process) {
	p.list, p.prev, p.next = l, l.last, nil
	if l.last != nil {
		l.last.next = p
	} else {
		l.first = p
	}
	l.last = p
	l.len++
}

func (l *list) remove(p *Process) {
	if p.prev != nil {
		p.prev.next = p.next
	} else {
		l.first = p.next
	}
	if p.next != nil {
		p.next.prev = p.prev
	} else {
		l.last = p.prev
	}
	p.list, p.prev, p.next = nil, nil, nil
	l.len--
}
