# Stands for oe-core's base.bbclass, which bitbake inherits into every recipe: the tasks that the recipes fill.
addtask fetch
addtask unpack after do_fetch
addtask configure after do_unpack
addtask compile after do_configure
addtask install after do_compile
addtask build after do_install

do_fetch() {
    :
}

do_unpack() {
    :
}

do_configure() {
    :
}

do_compile() {
    :
}

do_build() {
    :
}
