# Stands for oe-core's externalsrc.bbclass: sources are where EXTERNALSRC says.
python () {
    externalsrc = d.getVar('EXTERNALSRC')
    if externalsrc:
        d.setVar('S', externalsrc)
        d.setVar('B', '${WORKDIR}/${BPN}-${PV}')
}
