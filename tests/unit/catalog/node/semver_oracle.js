// Answers the questions of semver_oracle_test.c with npm's own `semver` package.
// Usage: node semver_oracle.js QUESTIONS ANSWERS; one line each:
//   c A B            ->  -1, 0 or 1
//   v TEXT           ->  1 when TEXT is a version, else 0
//   r FLAG<tab>RANGE<tab>V1 V2 ...  ->  "-" for no range, else one 0 or 1 a version;
//                                       FLAG p: prereleases are included
const fs = require('fs');
const path = require('path');
const { createRequire } = require('module');

function findNpm() {
    for (const folder of process.env.PATH.split(path.delimiter)) {
        const file = path.join(folder, 'npm');
        if (fs.existsSync(file)) return fs.realpathSync(file);
    }
    throw new Error('npm is not in PATH');
}

const semver = createRequire(findNpm())('semver');

function answer(line) {
    const text = line.slice(2);
    if (line[0] === 'c') return semver.compare(...text.split(' '));
    if (line[0] === 'v') return semver.valid(text) === null ? 0 : 1;
    const [flag, range, versions] = text.split('\t');
    const options = { includePrerelease: flag === 'p' };
    if (semver.validRange(range, options) === null) return '-';
    return versions.split(' ').map((v) => (semver.satisfies(v, range, options) ? 1 : 0)).join('');
}

const lines = fs.readFileSync(process.argv[2], 'utf8').split('\n').slice(0, -1);
fs.writeFileSync(process.argv[3], lines.map(answer).join('\n') + '\n');
