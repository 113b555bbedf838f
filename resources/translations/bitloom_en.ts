<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="en">
<context>
    <name>BudgetBar</name>
    <message numerus="yes">
        <source>predicted, %n thread(s)</source>
        <translation>
            <numerusform>predicted, %n thread</numerusform>
            <numerusform>predicted, %n threads</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>PinDialog</name>
    <message numerus="yes">
        <source>Pin %n layer(s)</source>
        <translation>
            <numerusform>Pin %n layer</numerusform>
            <numerusform>Pin %n layers</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>PinsModel</name>
    <message numerus="yes">
        <source>Remove %n pin(s)</source>
        <translation>
            <numerusform>Remove %n pin</numerusform>
            <numerusform>Remove %n pins</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>StatusLine</name>
    <message numerus="yes">
        <source>%1, %n thread(s)</source>
        <translation>
            <numerusform>%1, %n thread</numerusform>
            <numerusform>%1, %n threads</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>Log: %n warning(s)</source>
        <translation>
            <numerusform>Log: %n warning</numerusform>
            <numerusform>Log: %n warnings</numerusform>
        </translation>
    </message>
</context>
</TS>
