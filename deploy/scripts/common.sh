# For the scripts beside it: whether process $1 runs; one that has ended and was not waited for does not.
is_alive() {
    kill -0 "$1" 2>/dev/null && ! grep -q '^State:[[:space:]]*Z' "/proc/$1/status" 2>/dev/null
}
