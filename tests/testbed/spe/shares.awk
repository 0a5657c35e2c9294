# SPDX-License-Identifier: LGPL-2.1-or-later
# Are pages sampled as often as they are accessed? Pearson's chi-square over the pages of the first file ("PA
# ACCESSES" a line) with the samples of the second (folioctl analyze --records), those of other pages left out.
# Fails above what chance exceeds once in 10,000 draws, by Wilson and Hilferty's approximation (z = 3.719), or
# when a page expects fewer than 20 samples.
BEGIN { FS = "[ \t]" }
NR == FNR { accesses[$1] = $2; total += $2; pages++; next }
FNR > 1 {
    page = substr($7, 1, length($7) - 3) "000"
    if (page in accesses) { samples[page]++; n++ }
}
END {
    least = n
    for (page in accesses) {
        expected = n * accesses[page] / total
        if (expected < least) least = expected
        if (expected > 0) square += (samples[page] - expected) ^ 2 / expected
    }
    df = pages - 1
    limit = df * (1 - 2 / (9 * df) + 3.719 * sqrt(2 / (9 * df))) ^ 3
    printf "%d samples of %d accesses to %d pages: chi-square %.1f (at most %.1f), at least %.0f expected\n", \
        n, total, pages, square, limit, least
    exit !(pages == 100 && least >= 20 && square <= limit)
}
