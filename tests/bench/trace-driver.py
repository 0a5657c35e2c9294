#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the recorded programs are made to do: trace-driver.py WORKLOAD [PORT].

sql-* print SQL, text prints text, redis-* and memcached talk to a server on 127.0.0.1:PORT and shut
it down, py-* are programs to record themselves. All are seeded and repeatable.
"""

import array
import ast
import collections
import gc
import glob
import heapq
import json
import os
import random
import sys

from driving import connect, rand, run, skewed


def sqlite_setup(rows):
    print('PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-150000; '
          'PRAGMA temp_store=MEMORY;')
    print('CREATE TABLE t(id INTEGER PRIMARY KEY, a INT, b TEXT, c BLOB);')
    print(f'WITH RECURSIVE s(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM s WHERE x<{rows}) INSERT INTO t '
          'SELECT x, abs(random())%100000, hex(randomblob(60)), randomblob(300) FROM s;')


def sql_sqlite_oltp():
    """Skewed point reads and updates, now and then a short range."""
    rows = 150000
    sqlite_setup(rows)
    for _ in range(120000):
        kind, key = rand(), skewed(rows, 4) + 1
        if kind < .7:
            print(f'SELECT length(b) FROM t WHERE id={key};')
        elif kind < .95:
            print(f'UPDATE t SET a=a+1 WHERE id={key};')
        else:
            print(f'SELECT sum(a) FROM t WHERE id BETWEEN {key} AND {key + 100};')


def sql_sqlite_mix():
    """Index look-ups, full scans and a moving hot range, in turns."""
    rows = 150000
    sqlite_setup(rows)
    print('CREATE INDEX ia ON t(a);')
    for _ in range(6):
        for _ in range(12000):
            print(f'SELECT b FROM t WHERE a={random.randrange(100000)} LIMIT 2;')
        print('SELECT count(*), sum(length(c)) FROM t;')
        low = random.randrange(rows)
        for _ in range(12000):
            print(f'SELECT length(c) FROM t WHERE id={low + random.randrange(rows // 20)};')
        print('SELECT a%100, count(*) FROM t GROUP BY 1;')


def sql_sqlite_etl():
    """Tables built, joined into others and dropped, with look-ups in between."""
    rows = 60000
    sqlite_setup(rows)
    for step in range(12):
        print(f'CREATE TABLE s{step} AS SELECT id, a % 1000 g, b FROM t WHERE a % 7 <> {step % 7};')
        print(f'CREATE INDEX i{step} ON s{step}(g);')
        for _ in range(6000):
            print(f'SELECT count(*) FROM s{step} WHERE g={skewed(1000, 2)};' if rand() < .1 else
                  f'SELECT length(c) FROM t WHERE id={skewed(rows, 3)};')
        print(f'SELECT count(DISTINCT x.b) FROM s{step} x JOIN t USING(id) WHERE g < 200;')
        if step >= 3:
            print(f'DROP TABLE s{step - 3};')


def sql_sqlite_kv():
    """Big values under popular keys; old ones are deleted in rounds and others take their place."""
    print('PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-150000;')
    print('CREATE TABLE kv(k INTEGER PRIMARY KEY, at INT, v BLOB);')
    rows = 30000
    for step in range(60000):
        if step < rows or rand() < .1:
            print(f'REPLACE INTO kv VALUES({step % rows if step < rows else skewed(rows, 2)}, {step}, '
                  f'randomblob({200 + skewed(4000, 3)}));')
        if step >= rows // 4:
            print(f'SELECT length(v), at FROM kv WHERE k={skewed(rows, 3)};')
        if step % 12000 == 11999:
            print(f'DELETE FROM kv WHERE k % 10 = {step // 12000 % 10} AND at < {step - 8000};')


def sql_postgres():
    """Accounts read and updated with skew, phases with joins and grouping in between."""
    rows = 100000
    print('create table acc(aid int primary key, bid int, bal int, filler char(84))')
    print(f"insert into acc select g, g%10, 0, 'x' from generate_series(1,{rows}) g")
    print('create table hist(t int, a int, d int)')
    print('vacuum acc')
    for phase in range(5):
        base = random.randrange(rows)
        for i in range(2500):
            account, kind = (base + skewed(rows, 5)) % rows + 1, rand()
            if kind < .5:
                print(f'select bal from acc where aid={account}')
            elif kind < .9:
                print(f'update acc set bal=bal+{random.randrange(100)} where aid={account}')
                print(f'insert into hist values({i},{account},1)')
            else:
                print(f'select sum(bal) from acc where aid between {account} and {account + 50}')
        print('select bid,count(*),sum(bal) from acc group by bid' if phase % 2 else
              'select count(*) from acc a join hist h on a.aid=h.a')


def text():
    """700,000 lines of eight words."""
    words = [f'{random.getrandbits(24):x}' for _ in range(50000)]
    for _ in range(700000):
        print(' '.join(random.choices(words, k=8)))


def random_json():
    """An array of 60,000 objects."""
    json.dump([{'a': random.randrange(3000), 'b': i, 'c': [f'{random.getrandbits(40):x}'] * 3, 'd': {'e': rand()}}
               for i in range(60000)], sys.stdout)


def source_files(directory):
    """Two thousand files that are much like each other."""
    words = [f'{random.getrandbits(30):x}' for _ in range(2000)]
    lines = [' '.join(random.choices(words, k=10)) + '\n' for _ in range(1000)]
    for i in range(2000):
        start = random.randrange(800)
        with open(f'{directory}/{i}.txt', 'w', encoding='ascii') as file:
            file.writelines(line if rand() < .95 else random.choice(lines) for line in lines[start:start + 150])


def redis_answer(stream):
    line = stream.readline()
    if line[:1] == b'$' and int(line[1:]) >= 0:
        stream.read(int(line[1:]) + 2)
    elif line[:1] == b'*':
        for _ in range(int(line[1:])):
            redis_answer(stream)


def redis_run(stream, commands):
    waiting = 0
    for command in commands:
        parts = [part if isinstance(part, bytes) else str(part).encode() for part in command]
        stream.write(b'*%d\r\n' % len(parts) + b''.join(b'$%d\r\n%s\r\n' % (len(p), p) for p in parts))
        waiting += 1
        if waiting == 200:
            stream.flush()
            while waiting:
                redis_answer(stream)
                waiting -= 1
    stream.flush()
    for _ in range(waiting):
        redis_answer(stream)


def redis_stop(stream):
    stream.write(b'*2\r\n$8\r\nSHUTDOWN\r\n$6\r\nNOSAVE\r\n')
    stream.flush()


def redis_mixed(port):
    """Strings of all sizes and hashes; the popular keys move."""
    stream, n = connect(port), 60000
    redis_run(stream, (('SET', f'k{i}', b'v' * random.randrange(20, 700)) for i in range(n)))
    redis_run(stream, (('HSET', f'h{i // 50}', f'f{i}', b'w' * 40) for i in range(n)))
    for _ in range(6):
        base = random.randrange(n)
        redis_run(stream, (('GET', f'k{(base + skewed(n * .15, 2)) % n}') if rand() < .9 else
                           ('SET', f'k{random.randrange(n)}', b'u' * random.randrange(20, 700))
                           for _ in range(40000)))
        redis_run(stream, (('HGETALL', f'h{skewed(1200, 3)}') for _ in range(4000)))
    redis_stop(stream)


def redis_big(port):
    """Values of a page each, a few of them popular."""
    stream, n = connect(port), 20000
    redis_run(stream, (('SET', f'k{i}', b'v' * 3900) for i in range(n)))
    for _ in range(20):
        redis_run(stream, (('GET', f'k{skewed(n, 8)}') for _ in range(20000)))
    redis_stop(stream)


def redis_zset(port):
    """Ranges of sorted sets, strings that are deleted by and by."""
    stream, n = connect(port), 50000
    redis_run(stream, (('ZADD', f'z{i % 50}', random.randrange(10**6), f'm{i}') for i in range(n * 2)))
    redis_run(stream, (('SET', f's{i}', b'q' * 100) for i in range(n)))
    for phase in range(8):
        lows = (random.randrange(10**6) for _ in range(6000))
        redis_run(stream, (('ZRANGEBYSCORE', f'z{skewed(50, 3)}', low, low + 500) for low in lows))
        redis_run(stream, (('GET', f's{skewed(n, 1 + phase % 4)}') for _ in range(30000)))
        redis_run(stream, (('DEL', f's{random.randrange(n)}') for _ in range(4000)))
    redis_stop(stream)


def redis_queue(port):
    """Lists that jobs go through, results that live on for a while."""
    stream, waiting = connect(port), 0
    for i in range(600):
        redis_run(stream, (('LPUSH', f'q{k % 8}', b'j' * random.randrange(50, 900)) for k in range(400)))
        waiting += 400
        take = min(waiting, 200 if i % 60 < 40 else 800)
        redis_run(stream, (('RPOP', f'q{k % 8}') for k in range(take)))
        waiting -= take
        redis_run(stream, (('SET', f'r{(i * 100 + k) % 30000}', b'r' * 200) for k in range(100)))
        redis_run(stream, (('GET', f'r{(i * 100 - skewed(8000, 2)) % 30000}') for k in range(300)))
    redis_stop(stream)


def redis_lru(port):
    """A cache with less memory than it would need; what is popular drifts."""
    stream, n = connect(port), 200000
    for i in range(400):
        keys = [(i * 200 + skewed(n, 3)) % n for _ in range(1000)]
        redis_run(stream, (('GET', f'k{key}') for key in keys))
        redis_run(stream, (('SET', f'k{key}', b'c' * random.randrange(100, 1500)) for key in keys[:300]))
    redis_stop(stream)


def redis_ttl(port):
    """Keys that expire soon, counters that stay, a report over all counters now and then."""
    stream = connect(port)
    for i in range(300):
        redis_run(stream, (('SET', f's{i}:{k}', b's' * random.randrange(100, 1200), 'PX',
                            random.randrange(500, 8000)) for k in range(300)))
        redis_run(stream, (('GET', f's{i - skewed(20, 2)}:{random.randrange(300)}') for _ in range(600)))
        redis_run(stream, (('HINCRBY', f'h{skewed(800, 3)}', f'f{random.randrange(60)}', 1) for _ in range(900)))
        if i % 50 == 49:
            redis_run(stream, (('HVALS', f'h{k}') for k in range(800)))
    redis_stop(stream)


def memcached(port):
    """Skewed reads with some writes; the popular keys change twice."""
    stream, n = connect(port), 80000

    def drain(answers):
        stream.flush()
        while answers:
            answers -= stream.readline() in (b'END\r\n', b'STORED\r\n')

    for i in range(n):
        value = b'z' * random.randrange(100, 1200)
        stream.write(b'set k%d 0 0 %d\r\n%s\r\n' % (i, len(value), value))
        if i % 200 == 199:
            drain(200)
    keys = list(range(n))
    for _ in range(3):
        random.shuffle(keys)
        for _ in range(2000):
            for _ in range(200):
                key = keys[skewed(n, 5)]
                stream.write(b'set k%d 0 0 300\r\n%s\r\n' % (key, b'y' * 300) if rand() < .05 else
                             b'get k%d\r\n' % key)
            drain(200)
    stream.write(b'shutdown\r\n')
    stream.flush()


def py_dict():
    """A big dictionary; the part in use moves, collections and JSON in between."""
    data = {i: {'k': i, 's': f'x{i}' * 3, 'l': [i] * 5} for i in range(120000)}
    for _ in range(5):
        base = random.randrange(100000)
        for _ in range(250000):
            data[(base + skewed(20000, 3)) % 120000]['k'] += 1
        json.loads(json.dumps([data[k] for k in range(base, base + 3000) if k in data]))
        gc.collect()


def py_tree():
    """A search tree, a heap and a cache of recently used entries, side by side."""
    root = [0, None, None]
    for _ in range(150000):
        key, node = random.gauss(0, 1e6), root
        while node[side := 1 + (key >= node[0])]:
            node = node[side]
        node[side] = [key, None, None]
    heap, recent = [], collections.OrderedDict()
    for i in range(600000):
        heapq.heappush(heap, (i + rand() * 1000, i))
        if len(heap) > 5000:
            heapq.heappop(heap)
        key = skewed(40000, 3)
        if key in recent:
            recent.move_to_end(key)
        else:
            recent[key] = str(key) * 20
            if len(recent) > 15000:
                recent.popitem(last=False)
        if i % 3 == 0:
            key, node = random.gauss(0, 2e5), root
            while node:
                node = node[1 + (key >= node[0])]


def py_compile():
    """The compiler on its own library, syntax trees kept for a while."""
    kept = collections.deque(maxlen=40)
    for name in sorted(glob.glob(os.path.dirname(os.__file__) + '/*.py')):
        with open(name, encoding='utf-8') as file:
            source = file.read()
        kept.append(ast.parse(source))
        compile(source, name, 'exec')
        if rand() < .2:
            sum(1 for node in ast.walk(random.choice(kept)) if isinstance(node, ast.Name))


def py_list():
    """Arrays: filled, sorted, sieved, and left alone while others are worked on."""
    arrays = [array.array('q', (random.randrange(10**9) for _ in range(150000))) for _ in range(12)]
    for turn in range(40):
        work = arrays[skewed(12, 2)]
        if turn % 4 == 0:
            work[:] = array.array('q', sorted(work))
        for _ in range(60000):
            work[skewed(len(work), 4)] += 1
        if turn % 9 == 8:
            sum(sum(each[::64]) for each in arrays)


def py_phases():
    """Long service with few objects of many in use, short reorganisations of a part of them."""
    store = [[i, f'n{i}', [i] * 3] for i in range(250000)]
    popular = [random.randrange(len(store)) for _ in range(400)]
    for _ in range(10):
        for _ in range(500000 + random.randrange(500000)):
            store[popular[skewed(400, 2)]][0] += 1
        start = random.randrange(200000)
        store[start:start + 25000] = sorted(store[start:start + 25000], key=lambda item: item[1])
        popular[:100] = [random.randrange(len(store)) for _ in range(100)]


def py_cache():
    """Sessions that come, are used for a while and expire; all are looked through every so often."""
    live = {}
    for step in range(400000):
        if step % 4 == 0:
            live[step] = {'user': f'u{step}', 'data': bytearray(400), 'seen': step, 'items': []}
        keys = step // 4 * 4 - skewed(20000, 3) // 4 * 4
        if keys in live:
            live[keys]['seen'] = step
            live[keys]['items'].append(step)
        if step % 40000 == 39999:
            for key in [key for key, session in live.items() if session['seen'] < step - 60000]:
                del live[key]


def py_graph():
    """Shortest paths from one node after the other over a graph in lists; hubs are hot."""
    n = 30000
    edges = [[(min(skewed(n, 3), n - 1), rand()) for _ in range(4)] for _ in range(n)]
    for _ in range(6):
        start = random.randrange(n)
        distance, heap = {start: 0}, [(0, start)]
        while heap:
            far, node = heapq.heappop(heap)
            if far > distance[node]:
                continue
            for to, length in edges[node]:
                if far + length < distance.get(to, 1e9):
                    distance[to] = far + length
                    heapq.heappush(heap, (far + length, to))
        for _ in range(300000):
            edges[skewed(n, 6)][0]


def main():
    workloads = {name.replace('_', '-'): function for name, function in globals().items()
                 if name.startswith(('sql_', 'redis_', 'py_'))
                 and name not in ('redis_answer', 'redis_run', 'redis_stop')}
    workloads |= {'text': text, 'memcached': memcached, 'json': random_json, 'files': source_files}
    run(workloads, __doc__)


if __name__ == '__main__':
    main()
