#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the programs of fresh-programs are made to do: fresh-driver.py WORKLOAD [ARGUMENT...].

named, slapd and beanstalkd talk to a server on 127.0.0.1:PORT, leveldb is a program to record itself,
the others print input. All are seeded and repeatable.
"""

import random
import socket
import sys
import time

from driving import connect, rand, run, skewed


def words(n):
    return [f'{random.getrandbits(24):x}' for _ in range(n)]


def mariadb_setup():
    """Accounts and their history, in the database that bootstrap makes."""
    print('create database w;\nuse w;')
    print('create table acc(id int primary key, b int, bal int, filler varchar(400)) engine=innodb;')
    print("insert into acc select seq, seq % 10, 0, repeat(md5(seq), 2 + seq % 10) from seq_1_to_200000;")
    print('create table hist(n int primary key auto_increment, a int, d int, key(a)) engine=innodb;')


def mariadb():
    """Skewed reads and updates, the popular rows move; scans and joins in between."""
    n = 200000
    print('use w;')
    for phase in range(60):
        base = random.randrange(n)
        for _ in range(4000):
            key, kind = (base + skewed(n, 5)) % n + 1, rand()
            if kind < .6:
                print(f'select bal, filler from acc where id={key};')
            elif kind < .9:
                print(f'update acc set bal=bal+{random.randrange(100)} where id={key};')
                print(f'insert into hist(a, d) values({key}, 1);')
            else:
                print(f'select sum(bal) from acc where id between {key} and {key + 100};')
        print('select b, count(*), sum(bal) from acc group by b;' if phase % 3 == 2 else
              'select count(*), max(acc.bal) from hist join acc on acc.id = hist.a;')


def zone():
    """300,000 names."""
    print('$TTL 3600\n@ SOA ns.w.test. m.w.test. 1 3600 600 86400 3600\n@ NS ns\nns A 127.0.0.1')
    for i in range(300000):
        print(f'host{i} A 10.{i >> 16}.{i >> 8 & 255}.{i & 255}')


def named(port):
    """Queries in flight by the hundred, nine in ten for popular names."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.connect(('127.0.0.1', port))
        link.settimeout(2)
        while True:
            for _ in range(100):
                name = b'host%d' % (skewed(300000, 6) if rand() < .9 else random.randrange(330000))
                try:
                    link.send(b'\0\1\0\0\0\1\0\0\0\0\0\0' + bytes([len(name)]) + name + b'\1w\4test\0\0\1\0\1')
                except ConnectionRefusedError:
                    time.sleep(.1)
            try:
                for _ in range(100):
                    link.recv(600)
            except OSError:
                pass


def ldif():
    """60,000 people in one unit."""
    print('dn: dc=w\nobjectClass: dcObject\nobjectClass: organization\no: w\ndc: w\n')
    for i in range(60000):
        print(f'dn: uid=u{i},dc=w\nobjectClass: inetOrgPerson\nuid: u{i}\ncn: n {i}\nsn: s{random.randrange(9000)}\n'
              f'mail: u{i}@w.test\ndescription: {" ".join(words(25))}\n')


def ber(tag, *parts):
    body = b''.join(parts)
    length = bytes([len(body)]) if len(body) < 128 else b'\x82' + len(body).to_bytes(2, 'big')
    return bytes([tag]) + length + body


def ldap_call(stream, request, last):
    """Sends a request and reads up to the answer of kind `last`."""
    stream.write(ber(0x30, b'\2\1\1', request))
    stream.flush()
    kind = None
    while kind != last:
        head = stream.read(2)
        if len(head) < 2:
            raise EOFError
        length = head[1]
        if length & 128:
            length = int.from_bytes(stream.read(length & 127), 'big')
        kind = stream.read(length)[3]


def slapd(port):
    """Look-ups and changes of popular people, now and then a search that goes through all."""
    stream = connect(port)
    ldap_call(stream, ber(0x60, b'\2\1\3', ber(4, b'cn=a,dc=w'), ber(0x80, b's')), 0x61)
    options = b'\n\1\2' + b'\n\1\0' + b'\2\1\0' + b'\2\1\0' + b'\1\1\0'
    for step in range(10**7):
        user = skewed(60000, 4) if rand() < .9 else random.randrange(60000)
        if rand() < .1:
            change = ber(0x30, b'\n\1\2', ber(0x30, ber(4, b'sn'), ber(0x31, ber(4, b's%d' % (step % 9000)))))
            ldap_call(stream, ber(0x66, ber(4, b'uid=u%d,dc=w' % user), ber(0x30, change)), 0x67)
            continue
        wanted = ber(0xa3, ber(4, b'sn'), ber(4, b's%d' % (step % 9000))) if step % 4000 == 3999 else \
            ber(0xa3, ber(4, b'uid'), ber(4, b'u%d' % user))
        ldap_call(stream, ber(0x63, ber(4, b'dc=w'), options, wanted, ber(0x30)), 0x65)


def beanstalkd(port):
    """Queues that fill by day and empty by night, jobs of all sizes."""
    stream = connect(port)

    def put(n):
        for _ in range(n):
            size = random.randrange(50, 4000)
            stream.write(b'put %d 0 600 %d\r\n%s\r\n' % (random.randrange(1000), size, b'j' * size))
        stream.flush()
        for _ in range(n):
            stream.readline()

    def work(n):
        stream.write(b'reserve-with-timeout 0\r\n' * n)
        stream.flush()
        taken = []
        for _ in range(n):
            answer = stream.readline().split()
            if answer[0] == b'RESERVED':
                stream.read(int(answer[2]) + 2)
                taken.append(answer[1])
        for job in taken:
            stream.write(b'delete %s\r\n' % job)
        stream.flush()
        for _ in taken:
            stream.readline()

    put(60000)
    for step in range(10**6):
        put(100 if step % 300 < 200 else 20)
        work(random.randrange(60, 130))


def factors():
    """Which two numbers of 24 bits have this product? For z3."""
    print('(set-logic QF_BV)(declare-fun a () (_ BitVec 48))(declare-fun b () (_ BitVec 48))'
          '(assert (= (bvmul a b) (_ bv187650080096957 48)))(assert (bvult a (_ bv16777216 48)))'
          '(assert (bvult b (_ bv16777216 48)))(assert (bvugt a (_ bv1 48)))(assert (bvugt b (_ bv1 48)))(check-sat)')


def cnf():
    """3-SAT with 250,000 variables, 4.1 clauses a variable."""
    n = 250000
    print(f'p cnf {n} {n * 41 // 10}')
    for _ in range(n * 41 // 10):
        print(*(random.choice((1, -1)) * random.randrange(1, n + 1) for _ in range(3)), 0)


def scene():
    """60,000 spheres, some of glass, over a plane."""
    print('camera { location <0, 6, -16> look_at <0, 2, 0> } plane { y, 0 pigment { checker rgb 1 rgb .3 } }'
          'light_source { <30, 60, -40> rgb 1 } light_source { <-40, 20, -30> rgb .5 }')
    for i in range(60000):
        print(f'sphere {{ <{random.gauss(0, 6):.3f}, {5 * rand():.3f}, {random.gauss(0, 6):.3f}>, {.02 + .1 * rand():.3f} '
              f'pigment {{ rgbt <{rand():.2f}, {rand():.2f}, {rand():.2f}, {.7 * (i % 5 == 0)}> }} '
              f'finish {{ reflection {.3 * (i % 3 == 0)} }} }}')


def commands():
    """Documents loaded in batches into a full-text index, searches for groonga in between."""
    print('table_create Docs TABLE_HASH_KEY ShortText\ncolumn_create Docs body COLUMN_SCALAR Text\n'
          'column_create Docs stars COLUMN_SCALAR Int32\n'
          'table_create Terms TABLE_PAT_KEY ShortText --default_tokenizer TokenBigram\n'
          'column_create Terms of COLUMN_INDEX|WITH_POSITION Docs body')
    known = words(30000)
    for batch in range(60):
        print('load --table Docs\n[')
        for i in range(800):
            body = ' '.join(known[skewed(30000, 2)] for _ in range(60))
            print(f'{{"_key": "d{batch}-{i}", "body": "{body}", "stars": {random.randrange(6)}}}{"," if i < 799 else ""}')
        print(']')
        for _ in range(60):
            print(f'select Docs --match_columns body --query "{known[skewed(30000, 3)]} {known[skewed(300, 2)]}" '
                  '--sort_keys -_score --limit 10')
        print('select Docs --drilldown stars --limit 0')


def leveldb(directory):
    """Values put, got with skew and read in ranges."""
    import plyvel  # pylint: disable=import-outside-toplevel
    db = plyvel.DB(directory, create_if_missing=True, write_buffer_size=16 << 20, lru_cache_size=64 << 20)
    n = 100000
    for i in range(n):
        db.put(b'k%08d' % (i * 7919 % n), random.randbytes(400 + skewed(1200, 2)))
    for turn in range(10**4):
        base = random.randrange(n)
        for _ in range(20000):
            key, kind = (base + skewed(n, 4)) % n, rand()
            if kind < .8:
                db.get(b'k%08d' % key)
            else:
                db.put(b'k%08d' % key, random.randbytes(600))
        for _ in db.iterator(start=b'k%08d' % base, stop=b'k%08d' % (base + n // (4 if turn % 3 == 2 else 50))):
            pass


BASES = bytes(b'ACGT'[i & 3] for i in range(256))


def genome():
    """40 million bases, a part of them repeats; the same for every reader."""
    unique, alu = random.randbytes(36000000).translate(BASES).decode(), random.randbytes(400).translate(BASES).decode()
    return ''.join(unique[i:i + 3600] + alu for i in range(0, len(unique), 3600))


def fasta():
    random.seed(1)
    print('>chr1', genome(), sep='\n')


def fastq():
    """300,000 reads of 120 bases with 2% of errors, four in ten of a popular tenth."""
    random.seed(1)
    text = genome()
    for i in range(300000):
        start = random.randrange(len(text) // 10 if i % 5 < 2 else len(text) - 120)
        read = ''.join(base if rand() > .02 else random.choice('ACGT') for base in text[start:start + 120])
        print(f'@r{i}\n{read}\n+\n{"I" * 120}')


def sam():
    """900,000 reads in no order."""
    print('@HD\tVN:1.6\tSO:unsorted\n@SQ\tSN:chr1\tLN:40000000')
    for i in range(900000):
        start = random.randrange(1, 39999000)
        bases = random.randbytes(100).translate(BASES).decode()
        print(f'r{i}\t0\tchr1\t{start}\t60\t100M\t*\t0\t0\t{bases}\t{"I" * 100}')


def transport():
    """A transport problem with 150 sources and 400 sinks, in CPLEX's format."""
    sources, sinks = range(150), range(400)
    print('Minimize\n c:')
    for i in sources:
        print('\n'.join(f' + {random.randrange(1, 1000)} x{i}_{j}' for j in sinks))
    print('Subject To')
    for i in sources:
        print(f' s{i}: ' + '\n'.join(f' + x{i}_{j}' for j in sinks) + f' <= {random.randrange(3000, 6000)}')
    for j in sinks:
        print(f' d{j}: ' + '\n'.join(f' + x{i}_{j}' for i in sources) + f' >= {random.randrange(200, 900)}')
    print('End')


def haskell():
    """Types with their instances, and functions over them."""
    print('module Big where\nimport qualified Data.Map as M')
    for i in range(250):
        print(f'data T{i} = A{i} Int | B{i} {{ p{i} :: String, q{i} :: [Int] }} | C{i} T{i} deriving (Eq, Ord, Show, Read)\n'
              f'f{i} :: T{i} -> M.Map Int T{i} -> Int\nf{i} (A{i} n) m = n + M.size m\n'
              f'f{i} (B{i} s l) m = length s + sum [x * {i} | x <- l, odd x] + M.foldr (\\t k -> k + f{i} t m) 0 m\n'
              f'f{i} (C{i} t) m = f{i} t (M.insert {i} t m)')


def verilog():
    """Multipliers, shifters and tables of 16 units."""
    print('module top(input clk, input [31:0] a, input [31:0] b, output reg [31:0] y);')
    for i in range(16):
        rows = ''.join(f'8\'d{k}: t{i} <= 32\'h{random.getrandbits(32):x};' for k in range(256))
        print(f'reg [31:0] r{i}, t{i}; always @(posedge clk) begin r{i} <= (a ^ t{i}) * (b + {random.getrandbits(16)}) '
              f'>> (b[4:0] ^ {i}); case (a[{i + 7}:{i}] ^ b[7:0]) {rows} default: t{i} <= 0; endcase end')
    print('always @(posedge clk) y <= ' + ' ^ '.join(f'r{i}' for i in range(16)) + '; endmodule')


def graph():
    """20,000 nodes, 40,000 edges, most of them short."""
    print('graph g {')
    for i in range(40000):
        node = i // 2
        print(f'n{node} -- n{(node + 1 + skewed(200, 3)) % 20000 if rand() < .95 else random.randrange(20000)};')
    print('}')


def page():
    """A page's text."""
    known = words(500)
    for _ in range(45):
        print(' '.join(random.choices(known, k=9)))


def main():
    workloads = (mariadb_setup, mariadb, zone, named, ldif, slapd, beanstalkd, factors, cnf, scene, commands, leveldb,
                 fasta, fastq, sam, transport, haskell, verilog, graph, page)
    run({workload.__name__.replace('_', '-'): workload for workload in workloads}, __doc__)


if __name__ == '__main__':
    main()
