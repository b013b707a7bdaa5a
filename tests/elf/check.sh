#!/usr/bin/env bash
# Reads a built libepitaph.so: what a loader somewhere would trip over must not be in the file.
#
#   check.sh OBJECT HOOKS           one line a check
#   check.sh --self-test HOOKS      builds an object for each flaw: its check must fail
#
# HOOKS lists the names that the object must export, one a line. Knobs: READELF, CC.
#
# SPDX-License-Identifier: MIT
set -u
here=$(dirname "$(readlink -f "$0")")
# shellcheck source=tests/tally.sh
. "$here/../tally.sh"
READELF=${READELF:-readelf}
export LC_ALL=C

# verdict NAME OFFENDERS MEANING: a check passes where nothing offends.
verdict() {
	if [ -z "$2" ]; then
		ok "$1: $3"
	else
		fail "$1" "not so that $3: $(tr '\n' ' ' <<<"$2")"
	fi
}

has() {
	grep -Eq "$2" <<<"$1" || echo "missing /$2/"
}

check_object() {
	local so=$1 hooks=$2 dyn segs syms rel names extra

	if ! { dyn=$("$READELF" -dW "$so") && segs=$("$READELF" -lW "$so") &&
		syms=$("$READELF" --dyn-syms -W "$so") && rel=$("$READELF" -rW "$so"); }; then
		fail readelf "cannot read $so"
		return
	fi

	verdict type "$(has "$segs" 'file type is DYN')$(grep -E '^ +INTERP' <<<"$segs")" \
		'it is a shared object without an interpreter'
	verdict needed "$(grep -E '\((NEEDED|RPATH|RUNPATH|AUXILIARY|FILTER)\)' <<<"$dyn")" \
		'it asks the loader for no other object'
	verdict soname "$(has "$dyn" '\(SONAME\).*\[libepitaph\.so\]')" 'it is called libepitaph.so'
	verdict relr "$(grep -E '\((RELR|RELRSZ|ANDROID_RELA?)\)' <<<"$dyn")" \
		'old loaders know its relocations (no DT_RELR)'
	# musl has no IRELATIVE; a COPY relocation would be somebody's data.
	verdict relocations "$(grep -E 'IRELATIV|_COPY|TLS|TPREL|TPOFF|DTPMOD' <<<"$rel")" \
		'its relocations are plain'
	verdict textrel "$(grep -E 'TEXTREL' <<<"$dyn")" 'its text is not relocated'
	verdict hash "$(has "$dyn" '\(GNU_HASH\)')$(has "$dyn" '\(HASH\)')" \
		'both hash styles are there (old and new loaders)'
	verdict flags "$(has "$dyn" 'NODELETE')$(has "$dyn" 'NOOPEN')" \
		'it can be neither unloaded nor dlopened'
	verdict tls "$(grep -E '^ +TLS' <<<"$segs")$(grep -E 'STATIC_TLS' <<<"$dyn")" \
		'it has no thread-local storage'
	verdict stack "$(grep -E '^ +GNU_STACK.* RW +0x' <<<"$segs" >/dev/null || echo 'not RW')" \
		'its stack is not executable'
	verdict relro "$(has "$segs" '^ +GNU_RELRO')" 'what is relocated becomes read-only'
	verdict bindnow "$(has "$dyn" 'BIND_NOW|\(FLAGS_1\).* NOW')" 'nothing is bound later'
	verdict wx "$(grep -E '^ +LOAD.* RWE ' <<<"$segs")" 'no segment is both writable and executable'
	verdict segments "$(awk '$1 == "LOAD" { n++ } END { if (n > 2) print n }' <<<"$segs")" \
		'it is mapped in two pieces (each costs start-up time)'
	verdict ehframe "$(has "$segs" '^ +(GNU_EH_FRAME|EXIDX)')" \
		'unwinders find their way (PT_GNU_EH_FRAME; on 32-bit Arm PT_ARM_EXIDX)'
	verdict versions "$(grep -E '\((VERDEF|VERNEED|VERSYM)\)' <<<"$dyn")" \
		'it neither defines nor asks for symbol versions'

	# Undefined symbols: Bind is column 5, Ndx 7, Name 8 (with @VERSION where it has one).
	names=$(sed '/^#/d; /^$/d' "$here/imports.txt")
	extra=$(awk '$7 == "UND" && $8 != "" && ($5 != "WEAK" || $8 ~ /@/) { print $5, $8 }' <<<"$syms")
	verdict weak "$extra" 'every import is weak and has no version'
	extra=$(awk '$7 == "UND" && $8 != "" { sub(/@.*/, "", $8); print $8 }' <<<"$syms" |
		grep -vxF -e "$names")
	verdict imports "$extra" 'it imports only what tests/elf/imports.txt lists'

	# Section symbols are local: some ports' relocations name them. Power has a remark in a column.
	syms=$(awk '{ sub(/\[<[^]]*\]/, "") } $4 != "SECTION"' <<<"$syms")
	extra=$(diff <(sort "$hooks") <(awk '$7 ~ /^[0-9]+$/ || $7 == "ABS" { print $8 }' <<<"$syms" | sort) |
		sed -n 's/^</missing/p; s/^>/beyond/p')
	verdict exports "$extra" 'it exports exactly the names of hooks.def'
	extra=$(awk '$7 ~ /^[0-9]+$/ && ($4 != "FUNC" || $5 != "GLOBAL" || $6 != "DEFAULT")' <<<"$syms")
	verdict kinds "$extra" 'each export is a plain global function'
}

# flaw CHECK CODE FLAGS...: an object that is right but for CODE and FLAGS must fail CHECK.
flaw() {
	local check=$1 out said
	{
		sed 's/.*/void &(void) {}/' "$work/hooks"
		echo "$2"
	} >"$work/bad.c"
	shift 2
	rm -f "$work/bad.so"
	# shellcheck disable=SC2086 # $nodlopen is one flag or none
	if ! out=$("${CC:-cc}" -w -std=gnu11 -ffreestanding -fPIC -fno-builtin -shared -nostdlib \
		-Wl,-soname,libepitaph.so -Wl,-z,now -Wl,-z,relro -Wl,-z,noexecstack \
		-Wl,-z,noseparate-code $nodlopen -Wl,-z,nodelete -Wl,--hash-style=both \
		-Wl,--eh-frame-hdr -o "$work/bad.so" "$work/bad.c" "$@" 2>&1); then
		skip "self-test $check" "this tool chain cannot build the flaw: $(tail -n 1 <<<"$out")"
		proven="$proven $check "
		return
	fi
	said=" $(check_object "$work/bad.so" "$hooks" | sed -n 's/^FAIL  \([^:]*\):.*/\1/p' | tr '\n' ' ')"
	if [[ $said = *" $check "* ]] || [ "$check$said" = 'none ' ]; then
		ok "self-test $check: fails where it should${*:+ ($*)}"
		proven="$proven $check "
	else
		fail "self-test $check" "with the flaw in, these fail:$said"
	fi
}

self_test() {
	local used='__attribute__((used)) static void *volatile' proven='' nodlopen=-Wl,-z,nodlopen name
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	cp "$hooks" "$work/hooks"

	flaw none ''
	cp "$work/bad.so" "$work/good.so"
	flaw type '__attribute__((section(".interp"))) const char interp[] = "/lib/ld.so";'
	flaw needed '' -Wl,--no-as-needed -lc
	flaw needed '' -Wl,-rpath,/tmp
	flaw soname '' -Wl,-soname,other.so
	flaw relr "static int a; $used p[] = {&a, &a, &a};" -Wl,-z,pack-relative-relocs
	flaw relocations "static void r(void) {} static void *f(void) { return r; }
		__attribute__((ifunc(\"f\"))) static void g(void); $used p = g;"
	flaw textrel '__asm__(".text\n.quad exit\n");' -Wl,-z,notext
	flaw hash '' -Wl,--hash-style=gnu
	flaw hash '' -Wl,--hash-style=sysv
	nodlopen='' flaw flags ''
	flaw tls '__attribute__((used)) static __thread int t = 1;'
	flaw stack '' -Wl,-z,execstack
	flaw relro '' -Wl,-z,norelro
	flaw bindnow '' -Wl,-z,lazy
	flaw wx '' -Wl,-N
	flaw segments '' -Wl,-z,separate-code
	flaw ehframe '' -Wl,--no-eh-frame-hdr
	flaw weak "extern int getchar(); $used p = getchar;"
	flaw imports "extern __attribute__((weak)) int getchar(); $used p = getchar;"
	flaw exports 'void one_too_many(void) {}'
	flaw kinds 'int data = 1;'
	echo 'EPITAPH_1 { global: *; };' >"$work/named.map"
	flaw versions '' "-Wl,--version-script=$work/named.map"
	sed -i '$d' "$work/hooks"
	flaw exports ''

	for name in $(check_object "$work/good.so" "$hooks" | sed 's/^[a-zA-Z]* *\([^:]*\):.*/\1/'); do
		[[ $proven = *" $name "* ]] || fail "self-test $name" 'no flaw proves that this check can fail'
	done
}

if [ "${1-}" = --self-test ]; then
	hooks=$2
	self_test
else
	hooks=$2
	check_object "$1" "$hooks"
fi
tally
