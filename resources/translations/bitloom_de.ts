<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="de">
<context>
    <name>SpeedJobs</name>
    <message>
        <source>%1 tokens/s expected with the present plan</source>
        <translation>%1 Token/s mit dem jetzigen Plan zu erwarten</translation>
    </message>
    <message>
        <source>Measuring this machine&apos;s speed</source>
        <translation>Tempo dieses Rechners wird gemessen</translation>
    </message>
</context>
<context>
    <name>AnalyzeDialog</name>
    <message>
        <source>&amp;File</source>
        <translation>&amp;Datei</translation>
    </message>
    <message>
        <source>&amp;Text</source>
        <translation>&amp;Text</translation>
    </message>
    <message>
        <source>&amp;Windows</source>
        <translation>&amp;Fenster</translation>
    </message>
    <message>
        <source>Analyze</source>
        <translation>Analysieren</translation>
    </message>
    <message>
        <source>Analyze %1</source>
        <translation>%1 analysieren</translation>
    </message>
    <message>
        <source>Automatic takes 128 windows of 2 048 tokens, or as many shorter ones where the model holds fewer tokens.</source>
        <translation>Automatisch sind 128 Fenster zu 2 048 Token, oder entsprechend mehr kürzere, wo das Modell weniger Token fasst.</translation>
    </message>
    <message>
        <source>Calibration text</source>
        <translation>Kalibriertext</translation>
    </message>
    <message>
        <source>Choose a calibration text</source>
        <translation>Kalibriertext wählen</translation>
    </message>
    <message>
        <source>Choose a text file.</source>
        <translation>Wählen Sie eine Textdatei.</translation>
    </message>
    <message>
        <source>Choose…</source>
        <translation>Wählen…</translation>
    </message>
    <message>
        <source>Copy as command</source>
        <translation>Als Befehl kopieren</translation>
    </message>
    <message>
        <source>Number of windows</source>
        <translation>Anzahl der Fenster</translation>
    </message>
    <message>
        <source>Path of the calibration text</source>
        <translation>Pfad des Kalibriertexts</translation>
    </message>
    <message>
        <source>Runs the model once over a text and measures how much every input channel of every layer matters. The result is kept and serves every budget; a run that was stopped goes on where it was.</source>
        <translation>Lässt das Modell einmal über einen Text laufen und misst, wie viel jeder Eingangskanal jeder Schicht ausmacht. Das Ergebnis wird behalten und dient jedem Budget; ein angehaltener Lauf geht dort weiter, wo er war.</translation>
    </message>
    <message>
        <source>There is no file '%1'.</source>
        <translation>Es gibt keine Datei '%1'.</translation>
    </message>
    <message>
        <source>To&amp;kens in a window</source>
        <translation>To&amp;ken je Fenster</translation>
    </message>
    <message>
        <source>Tokens in a window</source>
        <translation>Token je Fenster</translation>
    </message>
    <message>
        <source>a text file</source>
        <translation>eine Textdatei</translation>
    </message>
    <message>
        <source>automatic</source>
        <translation>automatisch</translation>
    </message>
    <message>
        <source>the bundled text</source>
        <translation>der mitgelieferte Text</translation>
    </message>
    <message>
        <source>the model's own text, or the bundled one</source>
        <translation>der eigene Text des Modells, sonst der mitgelieferte</translation>
    </message>
</context>
<context>
    <name>BitLegend</name>
    <message>
        <source>Colours of the bit widths</source>
        <translation>Farben der Bitbreiten</translation>
    </message>
    <message>
        <source>bits</source>
        <translation>Bit</translation>
    </message>
</context>
<context>
    <name>BudgetBar</name>
    <message>
        <source>%1 tokens/s</source>
        <translation>%1 Token/s</translation>
    </message>
    <message>
        <source>+88.8 since grab</source>
        <translation>+88,8 seit Griff</translation>
    </message>
    <message>
        <source>Speed</source>
        <translation>Tempo</translation>
    </message>
    <message>
        <source>Tokens generated per second, one text at a time, on the engine&apos;s processor: the sum of the times of all matrices at their widths, measured once on that machine.</source>
        <translation>Erzeugte Token pro Sekunde, ein Text auf einmal, auf dem Prozessor der Engine: die Summe der Zeiten aller Matrizen bei ihren Breiten, einmal auf jenem Rechner gemessen.</translation>
    </message>
    <message numerus="yes">
        <source>predicted, %n thread(s)</source>
        <translation>
            <numerusform>vorhergesagt, %n Thread</numerusform>
            <numerusform>vorhergesagt, %n Threads</numerusform>
        </translation>
    </message>
    <message>
        <source>tokens/s</source>
        <translation>Token/s</translation>
    </message>
    <message>
        <source>≈ 8 888</source>
        <translation>≈ 8 888</translation>
    </message>
    <message>
        <source>%1 bits</source>
        <translation>%1 Bit</translation>
    </message>
    <message>
        <source>%1 bytes</source>
        <translation>%1 Bytes</translation>
    </message>
    <message>
        <source>%1 bytes, exact</source>
        <translation>%1 Bytes, genau</translation>
    </message>
    <message>
        <source>%1 is not possible %2. The nearest possible budget, %3, is set.</source>
        <translation>%1 ist %2 nicht möglich. Das nächste mögliche Budget, %3, ist eingestellt.</translation>
    </message>
    <message>
        <source>&amp;Budget</source>
        <translation>&amp;Budget</translation>
    </message>
    <message>
        <source>(%1 % of FP16)</source>
        <translation>(%1 % von FP16)</translation>
    </message>
    <message>
        <source>(88 % of FP16)</source>
        <translation>(88 % von FP16)</translation>
    </message>
    <message>
        <source>+%1 %</source>
        <translation>+%1 %</translation>
    </message>
    <message>
        <source>+0.20 since grab</source>
        <translation>+0,20 seit Griff</translation>
    </message>
    <message>
        <source>8 888 888 888 bytes, exact</source>
        <translation>8 888 888 888 Bytes, genau</translation>
    </message>
    <message>
        <source>Analyze the model once to see its exact size and expected perplexity at every budget.</source>
        <translation>Analysieren Sie das Modell einmal, um seine genaue Größe und erwartete Perplexität bei jedem Budget zu sehen.</translation>
    </message>
    <message>
        <source>Bits per weight</source>
        <translation>Bits je Gewicht</translation>
    </message>
    <message>
        <source>Budget</source>
        <translation>Budget</translation>
    </message>
    <message>
        <source>Drag: every channel gets the width that its share of the budget is worth, at once. The ends are the least and the most that this model can be given under its pins.</source>
        <translation>Ziehen: Jeder Kanal erhält sofort die Breite, die ihm vom Budget zusteht. Die Enden sind das Wenigste und das Meiste, das dieses Modell unter seinen Festlegungen erhalten kann.</translation>
    </message>
    <message>
        <source>Exact budget</source>
        <translation>Genaues Budget</translation>
    </message>
    <message>
        <source>Open a model to see its exact size and expected perplexity here.</source>
        <translation>Öffnen Sie ein Modell, um hier seine genaue Größe und erwartete Perplexität zu sehen.</translation>
    </message>
    <message>
        <source>Opening the model…</source>
        <translation>Das Modell wird geöffnet…</translation>
    </message>
    <message>
        <source>Perplexity</source>
        <translation>Perplexität</translation>
    </message>
    <message>
        <source>Size</source>
        <translation>Größe</translation>
    </message>
    <message>
        <source>The analysis is not finished. Budgets follow when it is.</source>
        <translation>Die Analyse ist nicht fertig. Danach folgen die Budgets.</translation>
    </message>
    <message>
        <source>Unit of the budget</source>
        <translation>Einheit des Budgets</translation>
    </message>
    <message>
        <source>What the budget limits: stored bits per weight of the block linears with all overhead, bytes of the whole folder, or the increase of the predicted perplexity over FP16.</source>
        <translation>Was das Budget begrenzt: gespeicherte Bits je Gewicht der linearen Schichten samt allem Beiwerk, Bytes des ganzen Ordners oder den Anstieg der vorhergesagten Perplexität über FP16.</translation>
    </message>
    <message>
        <source>all overhead counted</source>
        <translation>alles Beiwerk gezählt</translation>
    </message>
    <message>
        <source>bits</source>
        <translation>Bit</translation>
    </message>
    <message>
        <source>bits/weight</source>
        <translation>Bits/Gewicht</translation>
    </message>
    <message>
        <source>for this model</source>
        <translation>für dieses Modell</translation>
    </message>
    <message>
        <source>measured on %1, predicted %2</source>
        <translation>gemessen auf %1, vorhergesagt %2</translation>
    </message>
    <message>
        <source>over FP16</source>
        <translation>über FP16</translation>
    </message>
    <message>
        <source>perplexity</source>
        <translation>Perplexität</translation>
    </message>
    <message>
        <source>ppl %1</source>
        <translation>PPL %1</translation>
    </message>
    <message>
        <source>ppl +%1 %</source>
        <translation>PPL +%1 %</translation>
    </message>
    <message>
        <source>ppl ≈ %1</source>
        <translation>PPL ≈ %1</translation>
    </message>
    <message>
        <source>ppl ≈ 88.88</source>
        <translation>PPL ≈ 88,88</translation>
    </message>
    <message>
        <source>predicted on %1</source>
        <translation>vorhergesagt auf %1</translation>
    </message>
    <message>
        <source>since grab</source>
        <translation>seit Griff</translation>
    </message>
    <message>
        <source>size</source>
        <translation>Größe</translation>
    </message>
    <message>
        <source>under the present pins</source>
        <translation>unter den jetzigen Festlegungen</translation>
    </message>
    <message>
        <source>± %1 (FP16 %2)</source>
        <translation>± %1 (FP16 %2)</translation>
    </message>
    <message>
        <source>± 8.88 (FP16 88.88)</source>
        <translation>± 8,88 (FP16 88,88)</translation>
    </message>
    <message>
        <source>−0.21 predicted on calibration.txt</source>
        <translation>−0,21 vorhergesagt auf calibration.txt</translation>
    </message>
</context>
<context>
    <name>ChannelPlot</name>
    <message>
        <source>%1 bits</source>
        <translation>%1 Bit</translation>
    </message>
    <message>
        <source>%1 bits, %2 channel</source>
        <translation>%1 Bit, %2 Kanal</translation>
    </message>
    <message>
        <source>%1 bits, %2 channels</source>
        <translation>%1 Bit, %2 Kanäle</translation>
    </message>
    <message>
        <source>%1 channels</source>
        <translation>%1 Kanäle</translation>
    </message>
    <message>
        <source>%1 channels off the scale, the largest at %2</source>
        <translation>%1 Kanäle über der Skala, der größte bei %2</translation>
    </message>
    <message>
        <source>%1 of %2, %3 channels, order: %4. Arrow keys move a cursor.</source>
        <translation>%1 von %2, %3 Kanäle, Reihenfolge: %4. Pfeiltasten bewegen einen Zeiger.</translation>
    </message>
    <message>
        <source>%1 selected</source>
        <translation>%1 gewählt</translation>
    </message>
    <message>
        <source>%1 × %2</source>
        <translation>%1 × %2</translation>
    </message>
    <message>
        <source>%1, mean %2 bits</source>
        <translation>%1, im Mittel %2 Bit</translation>
    </message>
    <message>
        <source>%1, pinned</source>
        <translation>%1, festgelegt</translation>
    </message>
    <message>
        <source>%1, pinned (free: %2)</source>
        <translation>%1, festgelegt (frei: %2)</translation>
    </message>
    <message>
        <source>%1: %2</source>
        <translation>%1: %2</translation>
    </message>
    <message>
        <source>1 channel off the scale, at %1</source>
        <translation>1 Kanal über der Skala, bei %1</translation>
    </message>
    <message>
        <source>Channel %1</source>
        <translation>Kanal %1</translation>
    </message>
    <message>
        <source>Channel metric</source>
        <translation>Messgröße der Kanäle</translation>
    </message>
    <message>
        <source>Channel plot</source>
        <translation>Kanalgrafik</translation>
    </message>
    <message>
        <source>Channels</source>
        <translation>Kanäle</translation>
    </message>
    <message>
        <source>Choose one in the list of layers or in the heat map.</source>
        <translation>Wählen Sie eine in der Liste der Schichten oder in der Heatmap.</translation>
    </message>
    <message>
        <source>Clip outliers</source>
        <translation>Ausreißer kappen</translation>
    </message>
    <message>
        <source>Ends the axis below the largest 0.5 %. The data stay whole.</source>
        <translation>Beendet die Achse unter den größten 0,5 %. Die Daten bleiben ganz.</translation>
    </message>
    <message>
        <source>Lin</source>
        <translation>Lin</translation>
    </message>
    <message>
        <source>Linear values</source>
        <translation>Lineare Werte</translation>
    </message>
    <message>
        <source>Log</source>
        <translation>Log</translation>
    </message>
    <message>
        <source>Logarithmic values</source>
        <translation>Logarithmische Werte</translation>
    </message>
    <message>
        <source>No layer is chosen.</source>
        <translation>Es ist keine Schicht gewählt.</translation>
    </message>
    <message>
        <source>Order of channels</source>
        <translation>Reihenfolge der Kanäle</translation>
    </message>
    <message>
        <source>Pin the selected channels</source>
        <translation>Die gewählten Kanäle festlegen</translation>
    </message>
    <message>
        <source>Pin…</source>
        <translation>Festlegen…</translation>
    </message>
    <message>
        <source>Selected: %1, %2</source>
        <translation>Gewählt: %1, %2</translation>
    </message>
    <message>
        <source>Shift+drag selects channels</source>
        <translation>Umschalt+Ziehen wählt Kanäle</translation>
    </message>
    <message>
        <source>The %1 of this layer is not known yet.</source>
        <translation>%1 dieser Schicht ist noch nicht bekannt.</translation>
    </message>
    <message>
        <source>activation RMS</source>
        <translation>Aktivierung, RMS</translation>
    </message>
    <message>
        <source>activation abs-max</source>
        <translation>Aktivierung, Betragsmaximum</translation>
    </message>
    <message>
        <source>bits</source>
        <translation>Bit</translation>
    </message>
    <message>
        <source>by bits</source>
        <translation>nach Bits</translation>
    </message>
    <message>
        <source>channel</source>
        <translation>Kanal</translation>
    </message>
    <message>
        <source>channel %1</source>
        <translation>Kanal %1</translation>
    </message>
    <message>
        <source>index</source>
        <translation>Index</translation>
    </message>
    <message>
        <source>input channel, in index order</source>
        <translation>Eingangskanal, nach Index</translation>
    </message>
    <message>
        <source>input channels, largest %1 first</source>
        <translation>Eingangskanäle, größte zuerst (%1)</translation>
    </message>
    <message>
        <source>input channels, most bits first</source>
        <translation>Eingangskanäle, meiste Bits zuerst</translation>
    </message>
    <message>
        <source>largest first</source>
        <translation>größte zuerst</translation>
    </message>
    <message>
        <source>mean %1 bits</source>
        <translation>im Mittel %1 Bit</translation>
    </message>
    <message>
        <source>median %1 %2</source>
        <translation>Median %1 %2</translation>
    </message>
    <message>
        <source>pinned</source>
        <translation>festgelegt</translation>
    </message>
    <message>
        <source>pinned to %1 bits</source>
        <translation>festgelegt auf %1 Bit</translation>
    </message>
    <message>
        <source>predicted error</source>
        <translation>vorhergesagter Fehler</translation>
    </message>
    <message>
        <source>sensitivity</source>
        <translation>Empfindlichkeit</translation>
    </message>
    <message>
        <source>weight RMS</source>
        <translation>Gewichte, RMS</translation>
    </message>
</context>
<context>
    <name>ChatColumn</name>
    <message>
        <source>%1 (%2)</source>
        <translation>%1 (%2)</translation>
    </message>
    <message>
        <source>%1 bits, %2</source>
        <translation>%1 Bit, %2</translation>
    </message>
    <message>
        <source>%1 model</source>
        <translation>Modell %1</translation>
    </message>
    <message>
        <source>%1, left</source>
        <translation>%1, links</translation>
    </message>
    <message>
        <source>%1, right</source>
        <translation>%1, rechts</translation>
    </message>
    <message>
        <source>, %1 left</source>
        <translation>, noch %1</translation>
    </message>
    <message>
        <source>Answer again</source>
        <translation>Neu antworten</translation>
    </message>
    <message>
        <source>Answered by weights made as an export of this plan makes them.</source>
        <translation>Geantwortet haben Gewichte, wie ein Export dieses Plans sie macht.</translation>
    </message>
    <message>
        <source>Answered by weights that were rounded at once, without making up for the errors. An export of this plan answers better.</source>
        <translation>Geantwortet haben Gewichte, die gleich gerundet wurden, ohne die Fehler auszugleichen. Ein Export dieses Plans antwortet besser.</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>Abbrechen</translation>
    </message>
    <message>
        <source>Carrying the plan out in memory…</source>
        <translation>Der Plan wird im Speicher ausgeführt…</translation>
    </message>
    <message>
        <source>Chat with a model</source>
        <translation>Mit einem Modell chatten</translation>
    </message>
    <message>
        <source>Choose a folder…</source>
        <translation>Ordner wählen…</translation>
    </message>
    <message>
        <source>Copy answer</source>
        <translation>Antwort kopieren</translation>
    </message>
    <message>
        <source>Left</source>
        <translation>Links</translation>
    </message>
    <message>
        <source>Left answer</source>
        <translation>Linke Antwort</translation>
    </message>
    <message>
        <source>Loading…</source>
        <translation>Wird geladen…</translation>
    </message>
    <message>
        <source>Not on a GPU: %1</source>
        <translation>Nicht auf einer GPU: %1</translation>
    </message>
    <message>
        <source>Preparing the full method, %1 %</source>
        <translation>Ganzes Verfahren wird vorbereitet, %1 %</translation>
    </message>
    <message>
        <source>Right</source>
        <translation>Rechts</translation>
    </message>
    <message>
        <source>Right answer</source>
        <translation>Rechte Antwort</translation>
    </message>
    <message>
        <source>Rounded without compensation: an export answers better.</source>
        <translation>Ohne Ausgleich gerundet: ein Export antwortet besser.</translation>
    </message>
    <message>
        <source>The answer of %1 appears here.</source>
        <translation>Hier erscheint die Antwort von %1.</translation>
    </message>
    <message>
        <source>The answer of this plan appears here.</source>
        <translation>Die Antwort dieses Plans erscheint hier.</translation>
    </message>
    <message>
        <source>The full method is ready: answers as of the export.</source>
        <translation>Das ganze Verfahren ist bereit: Antworten wie vom Export.</translation>
    </message>
    <message>
        <source>The full method waits for the job that runs</source>
        <translation>Das ganze Verfahren wartet auf den laufenden Auftrag</translation>
    </message>
    <message>
        <source>The plan has changed since this answer.</source>
        <translation>Der Plan hat sich seit dieser Antwort geändert.</translation>
    </message>
    <message>
        <source>This answer is of another model.</source>
        <translation>Diese Antwort ist von einem anderen Modell.</translation>
    </message>
    <message>
        <source>This plan</source>
        <translation>Dieser Plan</translation>
    </message>
    <message>
        <source>Use the full method</source>
        <translation>Ganzes Verfahren nehmen</translation>
    </message>
    <message>
        <source>Waits for: %1</source>
        <translation>Wartet auf: %1</translation>
    </message>
    <message>
        <source>answered at %1</source>
        <translation>geantwortet bei %1</translation>
    </message>
    <message>
        <source>answered by %1</source>
        <translation>geantwortet von %1</translation>
    </message>
    <message>
        <source>context</source>
        <translation>Kontext</translation>
    </message>
    <message>
        <source>context is full</source>
        <translation>Kontext ist voll</translation>
    </message>
    <message>
        <source>cut at %1</source>
        <translation>nach %1 abgeschnitten</translation>
    </message>
    <message>
        <source>full method</source>
        <translation>ganzes Verfahren</translation>
    </message>
    <message>
        <source>memory</source>
        <translation>Speicher</translation>
    </message>
    <message>
        <source>on %1</source>
        <translation>auf %1</translation>
    </message>
    <message>
        <source>on the processor</source>
        <translation>auf dem Prozessor</translation>
    </message>
    <message>
        <source>quick preview</source>
        <translation>schnelle Vorschau</translation>
    </message>
    <message>
        <source>read from disk for every token</source>
        <translation>für jedes Token von der Platte gelesen</translation>
    </message>
    <message>
        <source>s</source>
        <translation>s</translation>
    </message>
    <message>
        <source>stopped</source>
        <translation>angehalten</translation>
    </message>
    <message>
        <source>to first token</source>
        <translation>bis zum ersten Token</translation>
    </message>
    <message>
        <source>tok/s</source>
        <translation>Tok/s</translation>
    </message>
    <message>
        <source>tokens</source>
        <translation>Token</translation>
    </message>
</context>
<context>
    <name>ChatPage</name>
    <message>
        <source>After the first difference the texts part. KL is scored on the left text.</source>
        <translation>Nach dem ersten Unterschied trennen sich die Texte. KL wird am linken Text bestimmt.</translation>
    </message>
    <message>
        <source>Answer one after the other</source>
        <translation>Nacheinander antworten</translation>
    </message>
    <message>
        <source>Both together need about %1 of memory, %2 are allowed. One after the other need %3.</source>
        <translation>Beide zusammen brauchen etwa %1 Speicher, erlaubt sind %2. Nacheinander brauchen sie %3.</translation>
    </message>
    <message>
        <source>Copied: %1</source>
        <translation>Kopiert: %1</translation>
    </message>
    <message>
        <source>Copy as command</source>
        <translation>Als Befehl kopieren</translation>
    </message>
    <message>
        <source>Copy the chat as command</source>
        <translation>Chat als Befehl kopieren</translation>
    </message>
    <message>
        <source>Ctrl+Return sends, Esc stops within one token.</source>
        <translation>Strg+Eingabe sendet, Esc hält binnen eines Tokens an.</translation>
    </message>
    <message>
        <source>Ctrl+Up and Ctrl+Down bring earlier prompts back.</source>
        <translation>Strg+Auf und Strg+Ab holen frühere Prompts zurück.</translation>
    </message>
    <message>
        <source>Divergence</source>
        <translation>Divergenz</translation>
    </message>
    <message>
        <source>Divergence of the answers</source>
        <translation>Divergenz der Antworten</translation>
    </message>
    <message>
        <source>Edit the prompt</source>
        <translation>Prompt bearbeiten</translation>
    </message>
    <message>
        <source>Esc stops within one token.</source>
        <translation>Esc hält binnen eines Tokens an.</translation>
    </message>
    <message>
        <source>KL %1 nats</source>
        <translation>KL %1 nat</translation>
    </message>
    <message>
        <source>No text is scored yet.</source>
        <translation>Noch ist kein Text bewertet.</translation>
    </message>
    <message>
        <source>Prompt</source>
        <translation>Prompt</translation>
    </message>
    <message>
        <source>Send</source>
        <translation>Senden</translation>
    </message>
    <message>
        <source>Send the prompt</source>
        <translation>Prompt senden</translation>
    </message>
    <message>
        <source>Sent to both. Ctrl+Return sends, Esc stops both within one token.</source>
        <translation>Geht an beide. Strg+Eingabe sendet, Esc hält beide binnen eines Tokens an.</translation>
    </message>
    <message>
        <source>Stop</source>
        <translation>Anhalten</translation>
    </message>
    <message>
        <source>Stop the answers</source>
        <translation>Antworten anhalten</translation>
    </message>
    <message>
        <source>Stop the answers before choosing another model.</source>
        <translation>Halten Sie die Antworten an, bevor Sie ein anderes Modell wählen.</translation>
    </message>
    <message>
        <source>The left text is scored when both answers are there.</source>
        <translation>Der linke Text wird bewertet, sobald beide Antworten da sind.</translation>
    </message>
    <message>
        <source>The texts have parted: the right column knows this token alone, by scoring the left text.</source>
        <translation>Die Texte haben sich getrennt: Rechts ist nur dieses Token bekannt, aus der Bewertung des linken Textes.</translation>
    </message>
    <message>
        <source>The texts have parted: the sides cannot be compared here.</source>
        <translation>Die Texte haben sich getrennt: Hier sind die Seiten nicht vergleichbar.</translation>
    </message>
    <message>
        <source>Token %1</source>
        <translation>Token %1</translation>
    </message>
    <message>
        <source>Token %1, after “%2”</source>
        <translation>Token %1, nach „%2“</translation>
    </message>
    <message>
        <source>Write something that both models continue</source>
        <translation>Schreiben Sie etwas, das beide Modelle fortsetzen</translation>
    </message>
    <message>
        <source>another top token</source>
        <translation>anderes erstes Token</translation>
    </message>
    <message>
        <source>at 99 %</source>
        <translation>bei 99 %</translation>
    </message>
    <message>
        <source>first difference</source>
        <translation>erster Unterschied</translation>
    </message>
    <message>
        <source>first difference: token %1</source>
        <translation>erster Unterschied: Token %1</translation>
    </message>
    <message>
        <source>ln PPL ratio</source>
        <translation>ln PPL-Verhältnis</translation>
    </message>
    <message>
        <source>mean KL, nats</source>
        <translation>mittlere KL, nat</translation>
    </message>
    <message>
        <source>median</source>
        <translation>Median</translation>
    </message>
    <message>
        <source>probability %1</source>
        <translation>Wahrscheinlichkeit %1</translation>
    </message>
    <message>
        <source>same for %1</source>
        <translation>gleich für %1</translation>
    </message>
    <message>
        <source>same top token</source>
        <translation>gleiches erstes Token</translation>
    </message>
    <message>
        <source>scoring, %1 of %2</source>
        <translation>Bewertung, %1 von %2</translation>
    </message>
    <message>
        <source>the same text, %1</source>
        <translation>derselbe Text, %1</translation>
    </message>
    <message>
        <source>token %1, “%2”</source>
        <translation>Token %1, „%2“</translation>
    </message>
    <message>
        <source>Δ ln p %1</source>
        <translation>Δ ln p %1</translation>
    </message>
</context>
<context>
    <name>ChatSession</name>
    <message>
        <source>%1 and %2 tokens</source>
        <translation>%1 und %2 Token</translation>
    </message>
    <message>
        <source>, mean KL %1 nats</source>
        <translation>, mittlere KL %1 nat</translation>
    </message>
    <message>
        <source>Answering “%1”</source>
        <translation>Antwort auf „%1“</translation>
    </message>
    <message>
        <source>No model is open.</source>
        <translation>Es ist kein Modell geöffnet.</translation>
    </message>
    <message>
        <source>Preparing %1 with the full method</source>
        <translation>%1 wird mit dem ganzen Verfahren vorbereitet</translation>
    </message>
    <message>
        <source>The engine is not running.</source>
        <translation>Der Rechenkern läuft nicht.</translation>
    </message>
    <message>
        <source>The model has no tokenizer, so it cannot chat.</source>
        <translation>Das Modell hat keinen Tokenizer und kann deshalb nicht chatten.</translation>
    </message>
    <message>
        <source>There is no plan yet: analyze the model, or choose another side.</source>
        <translation>Es gibt noch keinen Plan: Analysieren Sie das Modell, oder wählen Sie eine andere Seite.</translation>
    </message>
    <message>
        <source>answering</source>
        <translation>antwortet</translation>
    </message>
    <message>
        <source>ready for chat</source>
        <translation>bereit für den Chat</translation>
    </message>
</context>
<context>
    <name>CompareModel</name>
    <message>
        <source>%1 bytes</source>
        <translation>%1 Bytes</translation>
    </message>
    <message>
        <source>KL, nats</source>
        <translation>KL, nats</translation>
    </message>
    <message>
        <source>Mean KL divergence from FP16 of the next-token distributions, nats</source>
        <translation>Mittlere KL-Divergenz der Verteilungen des nächsten Tokens von FP16, nat</translation>
    </message>
    <message>
        <source>Mean bits</source>
        <translation>Mittlere Bits</translation>
    </message>
    <message>
        <source>Perplexity by evaluation, with its standard error</source>
        <translation>Gemessene Perplexität mit ihrem Standardfehler</translation>
    </message>
    <message>
        <source>Perplexity by the model of errors, with its band</source>
        <translation>Perplexität nach dem Fehlermodell mit ihrem Band</translation>
    </message>
    <message>
        <source>Plan</source>
        <translation>Plan</translation>
    </message>
    <message>
        <source>Same top</source>
        <translation>Gleiches Top</translation>
    </message>
    <message>
        <source>Share of tokens at which FP16 and this find the same token likeliest</source>
        <translation>Anteil der Token, bei denen FP16 und dieses Modell dasselbe Token für das wahrscheinlichste halten</translation>
    </message>
    <message>
        <source>Size</source>
        <translation>Größe</translation>
    </message>
    <message>
        <source>This is no quantized model.</source>
        <translation>Das ist kein quantisiertes Modell.</translation>
    </message>
    <message>
        <source>This plan</source>
        <translation>Dieser Plan</translation>
    </message>
    <message>
        <source>measured on %1</source>
        <translation>gemessen an %1</translation>
    </message>
    <message>
        <source>○ Predicted ppl</source>
        <translation>○ Vorhersage</translation>
    </message>
    <message>
        <source>● Measured ppl</source>
        <translation>● Messung</translation>
    </message>
</context>
<context>
    <name>ComparePage</name>
    <message>
        <source>%1 is of another model: its layers are not the same.</source>
        <translation>%1 ist von einem anderen Modell: Die Schichten sind nicht dieselben.</translation>
    </message>
    <message>
        <source>A folder that was exported; it can also be dropped here</source>
        <translation>Ein exportierter Ordner; er kann auch hier abgelegt werden</translation>
    </message>
    <message>
        <source>Add an exported folder</source>
        <translation>Exportierten Ordner hinzufügen</translation>
    </message>
    <message>
        <source>Add export…</source>
        <translation>Export hinzufügen…</translation>
    </message>
    <message>
        <source>Bits per layer</source>
        <translation>Bits je Schicht</translation>
    </message>
    <message>
        <source>Chat with FP16 and this</source>
        <translation>Mit FP16 und diesem chatten</translation>
    </message>
    <message>
        <source>Chat with both</source>
        <translation>Mit beiden chatten</translation>
    </message>
    <message>
        <source>Copy table</source>
        <translation>Tabelle kopieren</translation>
    </message>
    <message>
        <source>Measure…</source>
        <translation>Messen…</translation>
    </message>
    <message>
        <source>Perplexity and KL of the selected row</source>
        <translation>Perplexität und KL der gewählten Zeile</translation>
    </message>
    <message>
        <source>Plan that is compared</source>
        <translation>Plan, der verglichen wird</translation>
    </message>
    <message>
        <source>Plan that it is compared with</source>
        <translation>Plan, mit dem verglichen wird</translation>
    </message>
    <message>
        <source>Plans and exports</source>
        <translation>Pläne und Exporte</translation>
    </message>
    <message>
        <source>Plans and exports with their figures</source>
        <translation>Pläne und Exporte mit ihren Zahlen</translation>
    </message>
    <message>
        <source>Plans can be compared once the model is analyzed.</source>
        <translation>Pläne lassen sich vergleichen, sobald das Modell analysiert ist.</translation>
    </message>
    <message>
        <source>Puts the two that are compared below side by side in the chat</source>
        <translation>Stellt die beiden, die unten verglichen werden, im Chat nebeneinander</translation>
    </message>
    <message>
        <source>Remove</source>
        <translation>Entfernen</translation>
    </message>
    <message>
        <source>Remove from the list</source>
        <translation>Aus der Liste nehmen</translation>
    </message>
    <message>
        <source>Takes the folder off this list; its files stay</source>
        <translation>Nimmt den Ordner aus dieser Liste; seine Dateien bleiben</translation>
    </message>
    <message>
        <source>Use this preset</source>
        <translation>Diese Vorgabe verwenden</translation>
    </message>
    <message>
        <source>Working out %1…</source>
        <translation>%1 wird berechnet…</translation>
    </message>
    <message>
        <source>against</source>
        <translation>gegen</translation>
    </message>
    <message>
        <source>bits</source>
        <translation>Bit</translation>
    </message>
    <message>
        <source>ppl measured</source>
        <translation>ppl gemessen</translation>
    </message>
    <message>
        <source>ppl predicted</source>
        <translation>ppl vorhergesagt</translation>
    </message>
</context>
<context>
    <name>DetachedJobs</name>
    <message>
        <source>Analyzing %1</source>
        <translation>%1 wird analysiert</translation>
    </message>
    <message>
        <source>Exporting %1</source>
        <translation>%1 wird exportiert</translation>
    </message>
    <message>
        <source>finished</source>
        <translation>fertig</translation>
    </message>
</context>
<context>
    <name>DialogBase</name>
    <message>
        <source>Cancel</source>
        <translation>Abbrechen</translation>
    </message>
    <message>
        <source>Close</source>
        <translation>Schließen</translation>
    </message>
</context>
<context>
    <name>DivergenceStrip</name>
    <message>
        <source>%3 tokens, mean KL %1 nats, another top token at %2. Arrow keys move a cursor.</source>
        <translation>%3 Token, mittlere KL %1 nats, anderes erstes Token bei %2. Pfeiltasten bewegen einen Zeiger.</translation>
    </message>
    <message>
        <source>KL %1 nats, Δ ln p %2</source>
        <translation>KL %1 nats, Δ ln p %2</translation>
    </message>
    <message>
        <source>KL divergence per token</source>
        <translation>KL-Divergenz je Token</translation>
    </message>
    <message>
        <source>KL divergence per token, nats</source>
        <translation>KL-Divergenz je Token, nats</translation>
    </message>
    <message>
        <source>KL, nats</source>
        <translation>KL, nats</translation>
    </message>
    <message>
        <source>No text is scored yet.</source>
        <translation>Noch ist kein Text bewertet.</translation>
    </message>
    <message>
        <source>Token %1</source>
        <translation>Token %1</translation>
    </message>
    <message>
        <source>Token %1, “%2”</source>
        <translation>Token %1, „%2“</translation>
    </message>
    <message>
        <source>another top token</source>
        <translation>anderes erstes Token</translation>
    </message>
    <message>
        <source>first difference, token %1</source>
        <translation>erster Unterschied, Token %1</translation>
    </message>
    <message>
        <source>from %1 nats</source>
        <translation>ab %1 nats</translation>
    </message>
    <message>
        <source>not scored</source>
        <translation>nicht bewertet</translation>
    </message>
    <message>
        <source>same top token</source>
        <translation>gleiches erstes Token</translation>
    </message>
    <message>
        <source>text</source>
        <translation>Text</translation>
    </message>
    <message>
        <source>token</source>
        <translation>Token</translation>
    </message>
    <message>
        <source>Δ ln p, nats</source>
        <translation>Δ ln p, nats</translation>
    </message>
</context>
<context>
    <name>EngineBanner</name>
    <message>
        <source>A restart ends what runs there; finished parts are kept.</source>
        <translation>Ein Neustart beendet, was dort läuft; fertige Teile bleiben.</translation>
    </message>
    <message>
        <source>Details</source>
        <translation>Einzelheiten</translation>
    </message>
    <message>
        <source>Engine</source>
        <translation>Engine</translation>
    </message>
    <message>
        <source>It is asked every %1 s.</source>
        <translation>Sie wird alle %1 s gefragt.</translation>
    </message>
    <message>
        <source>It was started with: %1</source>
        <translation>Gestartet wurde sie mit: %1</translation>
    </message>
    <message>
        <source>Last words of the engine</source>
        <translation>Letzte Ausgaben der Engine</translation>
    </message>
    <message>
        <source>No answer from the engine for %1 s.</source>
        <translation>Seit %1 s keine Antwort von der Engine.</translation>
    </message>
    <message>
        <source>Plans and finished work are kept.</source>
        <translation>Pläne und fertige Arbeit bleiben erhalten.</translation>
    </message>
    <message>
        <source>Restart</source>
        <translation>Neu starten</translation>
    </message>
    <message>
        <source>Restart the engine</source>
        <translation>Die Engine neu starten</translation>
    </message>
    <message>
        <source>Start again</source>
        <translation>Neu starten</translation>
    </message>
    <message>
        <source>Start the engine again</source>
        <translation>Engine neu starten</translation>
    </message>
    <message>
        <source>The connection may be interrupted; it is tried every %1 s.</source>
        <translation>Die Verbindung ist vielleicht unterbrochen; sie wird alle %1 s versucht.</translation>
    </message>
    <message>
        <source>The engine is not running</source>
        <translation>Die Engine läuft nicht</translation>
    </message>
    <message>
        <source>The engine is not running.</source>
        <translation>Die Engine läuft nicht.</translation>
    </message>
    <message>
        <source>There is no connection to the engine.</source>
        <translation>Es besteht keine Verbindung zur Engine.</translation>
    </message>
</context>
<context>
    <name>EngineClient</name>
    <message>
        <source>Cancelled before it began.</source>
        <translation>Abgebrochen, bevor es begann.</translation>
    </message>
    <message>
        <source>Give a shorter text, or a file on the engine's machine.</source>
        <translation>Geben Sie einen kürzeren Text oder eine Datei auf dem Rechner des Rechenkerns.</translation>
    </message>
    <message>
        <source>Install the program bitloom beside this one or where PATH leads.</source>
        <translation>Installieren Sie das Programm bitloom neben diesem oder dort, wohin PATH führt.</translation>
    </message>
    <message>
        <source>Install the same version of both.</source>
        <translation>Installieren Sie von beiden dieselbe Version.</translation>
    </message>
    <message>
        <source>It was started with: %1</source>
        <translation>Gestartet mit: %1</translation>
    </message>
    <message>
        <source>Not understood: %1</source>
        <translation>Nicht verstanden: %1</translation>
    </message>
    <message>
        <source>Perhaps memory ran out: close other programs, or set a lower memory limit. What was finished is kept.</source>
        <translation>Vielleicht reichte der Speicher nicht: Schließen Sie andere Programme, oder setzen Sie eine niedrigere Speichergrenze. Was fertig war, ist behalten.</translation>
    </message>
    <message>
        <source>Start it again.</source>
        <translation>Starten Sie ihn neu.</translation>
    </message>
    <message>
        <source>The engine '%1' could not be started: %2.</source>
        <translation>Der Rechenkern '%1' konnte nicht gestartet werden: %2.</translation>
    </message>
    <message>
        <source>The engine did not answer within %1 s.</source>
        <translation>Der Rechenkern antwortete nicht innerhalb von %1 s.</translation>
    </message>
    <message>
        <source>The engine ended (exit code %1).</source>
        <translation>Der Rechenkern endete (Code %1).</translation>
    </message>
    <message>
        <source>The engine ended before it was ready (exit code %1).</source>
        <translation>Der Rechenkern endete, bevor er bereit war (Code %1).</translation>
    </message>
    <message>
        <source>The engine ended unexpectedly (signal %1).</source>
        <translation>Der Rechenkern endete unerwartet (Signal %1).</translation>
    </message>
    <message>
        <source>The engine is not running.</source>
        <translation>Der Rechenkern läuft nicht.</translation>
    </message>
    <message>
        <source>The engine is not running: %1</source>
        <translation>Der Rechenkern läuft nicht: %1</translation>
    </message>
    <message>
        <source>The engine sends a line without an end.</source>
        <translation>Der Rechenkern sendet eine Zeile ohne Ende.</translation>
    </message>
    <message>
        <source>The engine speaks protocol %1, this application protocol %2.</source>
        <translation>Der Rechenkern spricht Protokoll %1, dieses Programm Protokoll %2.</translation>
    </message>
    <message>
        <source>The engine was ended, because “%1” did not stop in time.</source>
        <translation>Der Rechenkern wurde beendet, weil „%1“ nicht rechtzeitig anhielt.</translation>
    </message>
    <message>
        <source>The engine was ended, because “%1” did not stop in time; with it ended: %2.</source>
        <translation>Der Rechenkern wurde beendet, weil „%1“ nicht rechtzeitig anhielt; mit ihm endeten: %2.</translation>
    </message>
    <message>
        <source>The engine was stopped.</source>
        <translation>Der Rechenkern wurde angehalten.</translation>
    </message>
    <message>
        <source>The request is too large for the engine.</source>
        <translation>Die Anfrage ist für den Rechenkern zu groß.</translation>
    </message>
    <message>
        <source>What answers as the engine is not one.</source>
        <translation>Was als Rechenkern antwortet, ist keiner.</translation>
    </message>
    <message>
        <source>What was finished is kept: start again to go on with it.</source>
        <translation>Was fertig war, ist behalten: Neu gestartet geht es weiter.</translation>
    </message>
    <message>
        <source>What was finished is kept: start again to go on with it. Plans that were tried in memory have to be tried again.</source>
        <translation>Was fertig war, ist behalten: Neu gestartet geht es weiter. Pläne, die im Speicher ausprobiert wurden, müssen neu ausprobiert werden.</translation>
    </message>
</context>
<context>
    <name>EngineJobs</name>
    <message>
        <source>The engine had to be ended to stop &quot;%1&quot;. With it ended: %2. Finished parts are kept.</source>
        <translation>Der Rechenkern musste beendet werden, um „%1“ anzuhalten. Mit ihm endeten: %2. Fertige Teile bleiben erhalten.</translation>
    </message>
    <message>
        <source>%1 tokens in %2</source>
        <translation>%1 Token in %2</translation>
    </message>
    <message>
        <source>Analyzing %1</source>
        <translation>%1 wird analysiert</translation>
    </message>
    <message>
        <source>found in the cache</source>
        <translation>im Zwischenspeicher gefunden</translation>
    </message>
</context>
<context>
    <name>ExplorePage</name>
    <message>
        <source>%1 by layer and channel quantile</source>
        <translation>%1 nach Schicht und Kanalquantil</translation>
    </message>
    <message>
        <source>%1 of %2 layers analyzed</source>
        <translation>%1 von %2 Schichten analysiert</translation>
    </message>
    <message>
        <source>%1, %2, %3 bits per weight</source>
        <translation>%1, %2, %3 Bits je Gewicht</translation>
    </message>
    <message>
        <source>Analyze</source>
        <translation>Analysieren</translation>
    </message>
    <message>
        <source>Channels of %1</source>
        <translation>Kanäle von %1</translation>
    </message>
    <message>
        <source>No model is open.</source>
        <translation>Es ist kein Modell geöffnet.</translation>
    </message>
    <message>
        <source>One run over a calibration text measures how much every channel matters; it is kept and serves every budget.</source>
        <translation>Ein Lauf über einen Kalibriertext misst, wie viel jeder Kanal ausmacht; er wird behalten und dient jedem Budget.</translation>
    </message>
    <message>
        <source>Opening the model…</source>
        <translation>Das Modell wird geöffnet…</translation>
    </message>
    <message>
        <source>This layer has not been analyzed yet.</source>
        <translation>Diese Schicht ist noch nicht analysiert.</translation>
    </message>
    <message>
        <source>An analysis is running.</source>
        <translation>Eine Analyse läuft.</translation>
    </message>
    <message>
        <source>Channels appear here layer by layer.</source>
        <translation>Kanäle erscheinen hier Schicht für Schicht.</translation>
    </message>
    <message>
        <source>This model has not been analyzed yet.</source>
        <translation>Dieses Modell ist noch nicht analysiert.</translation>
    </message>
    <message>
        <source>activation RMS</source>
        <translation>Aktivierung, RMS</translation>
    </message>
    <message>
        <source>activation abs-max</source>
        <translation>Aktivierung, Betragsmaximum</translation>
    </message>
    <message>
        <source>bits</source>
        <translation>Bit</translation>
    </message>
    <message>
        <source>channel quantile, low to high, in each kind</source>
        <translation>Kanalquantil, niedrig bis hoch, je Art</translation>
    </message>
    <message>
        <source>layer</source>
        <translation>Schicht</translation>
    </message>
    <message>
        <source>nats per token</source>
        <translation>nats je Token</translation>
    </message>
    <message>
        <source>nats per token at 3 bits</source>
        <translation>nats je Token bei 3 Bit</translation>
    </message>
    <message>
        <source>sensitivity</source>
        <translation>Empfindlichkeit</translation>
    </message>
    <message>
        <source>weight RMS</source>
        <translation>Gewichte, RMS</translation>
    </message>
</context>
<context>
    <name>ExportDialog</name>
    <message>
        <source>%1 bytes, exact</source>
        <translation>%1 Bytes, genau</translation>
    </message>
    <message>
        <source>%1 free on this disk, enough</source>
        <translation>%1 frei auf dieser Platte, genug</translation>
    </message>
    <message>
        <source>%1 free on this disk, too little</source>
        <translation>%1 frei auf dieser Platte, zu wenig</translation>
    </message>
    <message>
        <source>%1 of FP16</source>
        <translation>%1 von FP16</translation>
    </message>
    <message>
        <source>%1 shards of at most 5 GB</source>
        <translation>%1 Teildateien zu höchstens 5 GB</translation>
    </message>
    <message>
        <source>%1 threads</source>
        <translation>%1 Threads</translation>
    </message>
    <message>
        <source>%1, %2</source>
        <translation>%1, %2</translation>
    </message>
    <message>
        <source>&amp;Folder</source>
        <translation>&amp;Ordner</translation>
    </message>
    <message>
        <source>&amp;Keep embedding and head as stored, %1</source>
        <translation>&amp;Embedding und Kopf wie gespeichert, %1</translation>
    </message>
    <message>
        <source>&amp;Name</source>
        <translation>&amp;Name</translation>
    </message>
    <message>
        <source>&amp;Replace what is there</source>
        <translation>&amp;Vorhandenes ersetzen</translation>
    </message>
    <message>
        <source>&amp;Verify after writing</source>
        <translation>Nach dem Schreiben &amp;prüfen</translation>
    </message>
    <message>
        <source>&apos;%1&apos; is not there yet and will be made.</source>
        <translation>„%1“ gibt es noch nicht und wird angelegt.</translation>
    </message>
    <message>
        <source>, and about %1 unpacked</source>
        <translation>, und ausgepackt etwa %1</translation>
    </message>
    <message>
        <source>1 shard, model.safetensors</source>
        <translation>1 Datei, model.safetensors</translation>
    </message>
    <message>
        <source>1 thread</source>
        <translation>1 Thread</translation>
    </message>
    <message>
        <source>An export of this name was not finished; %1 are there. It goes on where it stopped if it is of the same plan.</source>
        <translation>Ein Export dieses Namens wurde nicht fertig; %1 sind da. Er geht weiter, wo er aufhörte, wenn er vom selben Plan ist.</translation>
    </message>
    <message>
        <source>Asking the engine about this folder…</source>
        <translation>Die Engine wird nach diesem Ordner gefragt…</translation>
    </message>
    <message>
        <source>Bitloom checkpoint</source>
        <translation>Bitloom-Checkpoint</translation>
    </message>
    <message>
        <source>Bitloom checkpoint and Hugging Face folder, BF16</source>
        <translation>Bitloom-Checkpoint und Hugging-Face-Ordner, BF16</translation>
    </message>
    <message>
        <source>Bitloom checkpoint and Hugging Face folder, F16</source>
        <translation>Bitloom-Checkpoint und Hugging-Face-Ordner, F16</translation>
    </message>
    <message>
        <source>CUDA is not available: %1</source>
        <translation>CUDA ist nicht verfügbar: %1</translation>
    </message>
    <message>
        <source>Cancel export</source>
        <translation>Export abbrechen</translation>
    </message>
    <message>
        <source>Choose the folder</source>
        <translation>Ordner wählen</translation>
    </message>
    <message>
        <source>Choose…</source>
        <translation>Wählen…</translation>
    </message>
    <message>
        <source>Close</source>
        <translation>Schließen</translation>
    </message>
    <message>
        <source>Copied: %1</source>
        <translation>Kopiert: %1</translation>
    </message>
    <message>
        <source>Copy as command</source>
        <translation>Als Befehl kopieren</translation>
    </message>
    <message>
        <source>Device</source>
        <translation>Gerät</translation>
    </message>
    <message>
        <source>Export</source>
        <translation>Exportieren</translation>
    </message>
    <message>
        <source>Export %1 at %2 bits</source>
        <translation>%1 mit %2 Bit exportieren</translation>
    </message>
    <message>
        <source>Export into</source>
        <translation>Exportieren nach</translation>
    </message>
    <message>
        <source>F&amp;ormat</source>
        <translation>&amp;Format</translation>
    </message>
    <message>
        <source>Folder that the export goes into</source>
        <translation>Ordner, in den der Export kommt</translation>
    </message>
    <message>
        <source>Format</source>
        <translation>Format</translation>
    </message>
    <message>
        <source>Free space</source>
        <translation>Freier Platz</translation>
    </message>
    <message>
        <source>Keep embedding and head as stored</source>
        <translation>Embedding und Kopf wie gespeichert</translation>
    </message>
    <message>
        <source>Name of the export</source>
        <translation>Name des Exports</translation>
    </message>
    <message>
        <source>Open folder</source>
        <translation>Ordner öffnen</translation>
    </message>
    <message>
        <source>Options</source>
        <translation>Optionen</translation>
    </message>
    <message>
        <source>Otherwise they are stored with 8 bits a row.</source>
        <translation>Sonst werden sie zeilenweise mit 8 Bit gespeichert.</translation>
    </message>
    <message>
        <source>Replace what is there</source>
        <translation>Vorhandenes ersetzen</translation>
    </message>
    <message>
        <source>Resume export</source>
        <translation>Export fortsetzen</translation>
    </message>
    <message>
        <source>Run in background</source>
        <translation>Im Hintergrund</translation>
    </message>
    <message>
        <source>Size</source>
        <translation>Größe</translation>
    </message>
    <message>
        <source>Test in chat</source>
        <translation>Im Chat testen</translation>
    </message>
    <message>
        <source>The engine is not running yet.</source>
        <translation>Die Engine läuft noch nicht.</translation>
    </message>
    <message>
        <source>The engine is not running. Restart it from the Run menu.</source>
        <translation>Die Engine läuft nicht. Starten Sie sie im Menü Ausführen neu.</translation>
    </message>
    <message>
        <source>Time</source>
        <translation>Zeit</translation>
    </message>
    <message>
        <source>Verify</source>
        <translation>Prüfen</translation>
    </message>
    <message>
        <source>Verify after writing</source>
        <translation>Nach dem Schreiben prüfen</translation>
    </message>
    <message>
        <source>about %1, as fast as the last export here</source>
        <translation>etwa %1, wenn es so schnell geht wie der letzte Export hier</translation>
    </message>
    <message>
        <source>known once it runs: this is the first export here</source>
        <translation>bekannt, sobald er läuft: Dies ist der erste Export hier</translation>
    </message>
    <message>
        <source>unknown</source>
        <translation>unbekannt</translation>
    </message>
</context>
<context>
    <name>ExportProgress</name>
    <message>
        <source>%1 %</source>
        <translation>%1 %</translation>
    </message>
    <message>
        <source>%1 %, about %2 left</source>
        <translation>%1 %, noch etwa %2</translation>
    </message>
    <message>
        <source>%1 MB/s</source>
        <translation>%1 MB/s</translation>
    </message>
    <message>
        <source>%1 of %2</source>
        <translation>%1 von %2</translation>
    </message>
    <message>
        <source>Damaged: %1</source>
        <translation>Beschädigt: %1</translation>
    </message>
    <message>
        <source>Exported</source>
        <translation>Exportiert</translation>
    </message>
    <message>
        <source>Exported and verified</source>
        <translation>Exportiert und geprüft</translation>
    </message>
    <message>
        <source>Finished tensors are kept in %1.partial. Resumed, the export gives the same bytes as one that was never stopped.</source>
        <translation>Fertige Tensoren bleiben in %1.partial. Fortgesetzt ergibt der Export dieselben Bytes wie einer, der nie angehalten wurde.</translation>
    </message>
    <message>
        <source>In %1</source>
        <translation>In %1</translation>
    </message>
    <message>
        <source>Progress of the export</source>
        <translation>Fortschritt des Exports</translation>
    </message>
    <message>
        <source>Stopped at %1 %</source>
        <translation>Angehalten bei %1 %</translation>
    </message>
    <message>
        <source>Stopping at %1 %</source>
        <translation>Hält an bei %1 %</translation>
    </message>
    <message>
        <source>Stopping is safe: finished tensors stay in the .partial folder, and a resumed export gives the same bytes.</source>
        <translation>Anhalten ist sicher: Fertige Tensoren bleiben im Ordner .partial, und ein fortgesetzter Export ergibt dieselben Bytes.</translation>
    </message>
    <message>
        <source>The export failed</source>
        <translation>Der Export schlug fehl</translation>
    </message>
    <message>
        <source>Verifying…</source>
        <translation>Wird geprüft…</translation>
    </message>
    <message>
        <source>bytes</source>
        <translation>Bytes</translation>
    </message>
    <message>
        <source>bytes, as predicted</source>
        <translation>Byte, wie vorhergesagt</translation>
    </message>
    <message>
        <source>elapsed %1</source>
        <translation>bisher %1</translation>
    </message>
    <message>
        <source>of the GPU&apos;s memory, at most</source>
        <translation>Speicher der GPU höchstens</translation>
    </message>
    <message>
        <source>peak memory</source>
        <translation>Speicher höchstens</translation>
    </message>
    <message>
        <source>tensors</source>
        <translation>Tensoren</translation>
    </message>
    <message>
        <source>written</source>
        <translation>geschrieben</translation>
    </message>
</context>
<context>
    <name>ExportRequest</name>
    <message>
        <source>"%1" cannot be the name of a folder.</source>
        <translation>„%1“ kann nicht der Name eines Ordners sein.</translation>
    </message>
    <message>
        <source>%1 more are needed on this disk. Free some space or choose another folder.</source>
        <translation>Auf dieser Platte fehlen %1. Schaffen Sie Platz, oder wählen Sie einen anderen Ordner.</translation>
    </message>
    <message>
        <source>'%1' cannot be written to.</source>
        <translation>In „%1“ kann nicht geschrieben werden.</translation>
    </message>
    <message>
        <source>'%1' is there already. Choose another name, or tick Replace.</source>
        <translation>„%1“ gibt es schon. Wählen Sie einen anderen Namen, oder kreuzen Sie Ersetzen an.</translation>
    </message>
    <message>
        <source>Check the rights of the folder above it.</source>
        <translation>Prüfen Sie die Rechte des Ordners darüber.</translation>
    </message>
    <message>
        <source>Choose the folder that the export goes into.</source>
        <translation>Wählen Sie den Ordner, in den der Export kommt.</translation>
    </message>
    <message>
        <source>Give the export a name.</source>
        <translation>Geben Sie dem Export einen Namen.</translation>
    </message>
    <message>
        <source>The folder '%1' could not be made.</source>
        <translation>Der Ordner „%1“ ließ sich nicht anlegen.</translation>
    </message>
    <message>
        <source>There is no folder '%1'.</source>
        <translation>Es gibt keinen Ordner „%1“.</translation>
    </message>
</context>
<context>
    <name>ExportRun</name>
    <message>
        <source>%1 finished layers kept, hashes verified</source>
        <translation>%1 fertige Schichten behalten, Hashes geprüft</translation>
    </message>
    <message>
        <source>%1, verified</source>
        <translation>%1, geprüft</translation>
    </message>
    <message>
        <source>Exporting %1</source>
        <translation>%1 wird exportiert</translation>
    </message>
    <message>
        <source>Flush, then rename %1.partial into place</source>
        <translation>Auf die Platte bringen, dann %1.partial umbenennen</translation>
    </message>
    <message>
        <source>Quantize and write, layer by layer</source>
        <translation>Schicht für Schicht quantisieren und schreiben</translation>
    </message>
    <message>
        <source>Resumed: finished tensors kept, hashes verified</source>
        <translation>Fortgesetzt: fertige Tensoren behalten, Hashes geprüft</translation>
    </message>
    <message>
        <source>Space checked, folder locked</source>
        <translation>Platz geprüft, Ordner gesperrt</translation>
    </message>
    <message>
        <source>Unpack into the Hugging Face folder %1-hf</source>
        <translation>In den Hugging-Face-Ordner %1-hf auspacken</translation>
    </message>
    <message>
        <source>Verify: read again, compare every hash</source>
        <translation>Prüfen: noch einmal lesen, jeden Hash vergleichen</translation>
    </message>
    <message>
        <source>Verifying %1</source>
        <translation>%1 wird geprüft</translation>
    </message>
    <message>
        <source>Waits for the job that runs</source>
        <translation>Wartet auf den laufenden Auftrag</translation>
    </message>
    <message>
        <source>damaged: %1</source>
        <translation>beschädigt: %1</translation>
    </message>
    <message>
        <source>every file and tensor reads back as written</source>
        <translation>jede Datei und jeder Tensor liest sich, wie sie geschrieben wurden</translation>
    </message>
</context>
<context>
    <name>FigureDialog</name>
    <message>
        <source>%1× · %2 × %3 px</source>
        <translation>%1× · %2 × %3 px</translation>
    </message>
    <message>
        <source>&amp;Format</source>
        <translation>&amp;Format</translation>
    </message>
    <message>
        <source>&amp;Resolution</source>
        <translation>&amp;Auflösung</translation>
    </message>
    <message>
        <source>All %1 rows of the data, not only what the figure shows. Numbers with a decimal point, columns separated by commas.</source>
        <translation>Alle %1 Zeilen der Daten, nicht nur, was die Grafik zeigt. Zahlen mit Dezimalpunkt, Spalten durch Kommas getrennt.</translation>
    </message>
    <message>
        <source>CSV, all data</source>
        <translation>CSV, alle Daten</translation>
    </message>
    <message>
        <source>Choose a file</source>
        <translation>Datei wählen</translation>
    </message>
    <message>
        <source>Choose…</source>
        <translation>Wählen…</translation>
    </message>
    <message>
        <source>Figure file name</source>
        <translation>Dateiname der Grafik</translation>
    </message>
    <message>
        <source>Figure format</source>
        <translation>Format der Grafik</translation>
    </message>
    <message>
        <source>Figure resolution</source>
        <translation>Auflösung der Grafik</translation>
    </message>
    <message>
        <source>File &amp;name</source>
        <translation>Datei&amp;name</translation>
    </message>
    <message>
        <source>Light colours for print, with title, units, legend and caption.</source>
        <translation>Helle Farben für den Druck, mit Titel, Einheiten, Legende und Unterschrift.</translation>
    </message>
    <message>
        <source>PDF, vector</source>
        <translation>PDF, Vektor</translation>
    </message>
    <message>
        <source>PNG image</source>
        <translation>PNG-Bild</translation>
    </message>
    <message>
        <source>Preview of the figure</source>
        <translation>Vorschau der Grafik</translation>
    </message>
    <message>
        <source>SVG, vector</source>
        <translation>SVG, Vektor</translation>
    </message>
    <message>
        <source>Save figure or data</source>
        <translation>Grafik oder Daten sichern</translation>
    </message>
    <message>
        <source>“%1” exists. Replace it?</source>
        <translation>„%1“ gibt es schon. Ersetzen?</translation>
    </message>
</context>
<context>
    <name>GuideDialog</name>
    <message>
        <source>A pin holds channels, layers or kinds of layers at a width, whatever the budget. It counts towards the budget, is never overruled, and shows what it costs at the present λ. Untick a pin to see the plan without it.</source>
        <translation>Eine Festlegung hält Kanäle, Schichten oder Arten von Schichten auf einer Breite, bei jedem Budget. Sie zählt zum Budget, wird nie übergangen und zeigt, was sie beim jetzigen λ kostet. Ohne Häkchen sieht man den Plan ohne sie.</translation>
    </message>
    <message>
        <source>All stored bits of the quantized layers, divided by their weights: codes, tables, scales, zero points, outliers and class lists, nothing left out. Embedding, head, norms and the tokenizer are not in it; the size is.</source>
        <translation>Alle gespeicherten Bits der quantisierten Schichten, geteilt durch ihre Gewichte: Codes, Tabellen, Skalen, Nullpunkte, Ausreißer und Klassenlisten, nichts ausgelassen. Embedding, Kopf, Normen und Tokenizer sind nicht darin, wohl aber in der Größe.</translation>
    </message>
    <message>
        <source>Bits per weight</source>
        <translation>Bits je Gewicht</translation>
    </message>
    <message>
        <source>Budget, pins and presets can be undone. The session is saved by itself every few seconds; after a crash it is offered again. Stopped analyses and exports go on where they were. Nothing is sent over the network.</source>
        <translation>Budget, Festlegungen und Vorgaben lassen sich rückgängig machen. Die Sitzung wird alle paar Sekunden von selbst gesichert; nach einem Absturz wird sie wieder angeboten. Angehaltene Analysen und Exporte gehen dort weiter, wo sie waren. Nichts wird über das Netz gesendet.</translation>
    </message>
    <message>
        <source>Channels</source>
        <translation>Kanäle</translation>
    </message>
    <message>
        <source>Each bar is one input channel of the layer; its height is the metric, its colour the width that the plan gives it. Wheel zooms, dragging pans, Shift and dragging selects, a double click resets, the arrow keys move the cursor, Enter pins the selection.</source>
        <translation>Jeder Balken ist ein Eingangskanal der Schicht; seine Höhe ist die Messgröße, seine Farbe die Breite, die der Plan ihm gibt. Das Rad vergrößert, Ziehen verschiebt, Ziehen mit Umschalt wählt aus, ein Doppelklick setzt zurück, die Pfeiltasten bewegen den Zeiger, Eingabe legt die Auswahl fest.</translation>
    </message>
    <message>
        <source>From a model to a smaller one</source>
        <translation>Vom Modell zum kleineren</translation>
    </message>
    <message>
        <source>Guide</source>
        <translation>Anleitung</translation>
    </message>
    <message>
        <source>Nothing is lost</source>
        <translation>Nichts geht verloren</translation>
    </message>
    <message>
        <source>Open a Hugging Face folder (config.json and safetensors). It is only read. Analyze it once: the model runs over a text, and for every input channel of every linear layer it is measured what storing it with fewer bits costs. Then drag the budget. Bits are shared out over all channels at once, and size and expected perplexity follow. Measure the plan that you like, and export it.</source>
        <translation>Öffnen Sie einen Hugging-Face-Ordner (config.json und safetensors). Er wird nur gelesen. Analysieren Sie ihn einmal: Das Modell läuft über einen Text, und für jeden Eingangskanal jeder linearen Schicht wird gemessen, was es kostet, ihn mit weniger Bits zu speichern. Ziehen Sie dann am Budget. Die Bits werden sofort über alle Kanäle verteilt, Größe und erwartete Perplexität folgen. Messen Sie den Plan, der Ihnen gefällt, und exportieren Sie ihn.</translation>
    </message>
    <message>
        <source>Perplexity, predicted and measured</source>
        <translation>Perplexität, vorhergesagt und gemessen</translation>
    </message>
    <message>
        <source>Pins</source>
        <translation>Festlegungen</translation>
    </message>
    <message>
        <source>Shortcuts</source>
        <translation>Tastenkürzel</translation>
    </message>
    <message>
        <source>exp(NLL). Predicted figures carry ≈, a dashed line or a hollow mark; measured ones are solid and filled. The predicted increase follows from ½ Σ γ c SSE: γ tells how much a layer's output error costs (nats per unit of error), c how much of a channel the others cannot stand in for, SSE the squared rounding error of its weights. A scale turns the sum into nats, more steeply where it is large; measurements of your own make it better.</source>
        <translation>exp(NLL). Vorhergesagte Werte tragen ≈, eine gestrichelte Linie oder eine hohle Marke; gemessene sind durchgezogen und gefüllt. Der vorhergesagte Anstieg folgt aus ½ Σ γ c SSE: γ sagt, was der Ausgabefehler einer Schicht kostet (Nats je Fehlereinheit), c, wie viel eines Kanals die anderen nicht ersetzen können, SSE ist der quadrierte Rundungsfehler seiner Gewichte. Ein Maßstab macht aus der Summe Nats, steiler, wo sie groß ist; eigene Messungen verbessern ihn.</translation>
    </message>
</context>
<context>
    <name>HeatMap</name>
    <message>
        <source>%1 of %2 rows in %3 kinds of matrices; %4 are known. Arrow keys move a cursor, Enter chooses the layer.</source>
        <translation>%1 von %2 Zeilen in %3 Arten von Matrizen; %4 sind bekannt. Pfeiltasten bewegen einen Zeiger, Eingabe wählt die Schicht.</translation>
    </message>
    <message>
        <source>Analyze the model to see which channels of which layers matter.</source>
        <translation>Analysieren Sie das Modell, um zu sehen, welche Kanäle welcher Schichten zählen.</translation>
    </message>
    <message>
        <source>Colour scale of the heat map</source>
        <translation>Farbskala der Heatmap</translation>
    </message>
    <message>
        <source>Heat map</source>
        <translation>Heatmap</translation>
    </message>
    <message>
        <source>No statistics yet.</source>
        <translation>Noch keine Statistik.</translation>
    </message>
    <message>
        <source>Quantity of the heat map</source>
        <translation>Größe der Heatmap</translation>
    </message>
    <message>
        <source>kind</source>
        <translation>Art</translation>
    </message>
    <message>
        <source>layer</source>
        <translation>Schicht</translation>
    </message>
    <message>
        <source>not measured yet</source>
        <translation>noch nicht gemessen</translation>
    </message>
    <message>
        <source>quantile %1</source>
        <translation>Quantil %1</translation>
    </message>
</context>
<context>
    <name>HistogramWidget</name>
    <message>
        <source>%1 bits %2</source>
        <translation>%1 Bit %2</translation>
    </message>
    <message>
        <source>%1 bits: %2 of the weights, %3 weights in %4 channels</source>
        <translation>%1 Bit: %2 der Gewichte, %3 Gewichte in %4 Kanälen</translation>
    </message>
    <message>
        <source>%1 ch</source>
        <translation>%1 K</translation>
    </message>
    <message>
        <source>No plan yet.</source>
        <translation>Noch kein Plan.</translation>
    </message>
    <message>
        <source>Share of weights: %1</source>
        <translation>Anteil der Gewichte: %1</translation>
    </message>
    <message>
        <source>Weights by bit width</source>
        <translation>Gewichte nach Bitbreite</translation>
    </message>
    <message>
        <source>bits</source>
        <translation>Bit</translation>
    </message>
    <message>
        <source>channels</source>
        <translation>Kanäle</translation>
    </message>
    <message>
        <source>of %1</source>
        <translation>von %1</translation>
    </message>
    <message>
        <source>share, %</source>
        <translation>Anteil, %</translation>
    </message>
    <message>
        <source>weights</source>
        <translation>Gewichte</translation>
    </message>
</context>
<context>
    <name>JobList</name>
    <message>
        <source>Cancelled.</source>
        <translation>Abgebrochen.</translation>
    </message>
    <message>
        <source>Restart it from the Run menu.</source>
        <translation>Starten Sie ihn im Menü Ausführen neu.</translation>
    </message>
    <message>
        <source>The engine is not running.</source>
        <translation>Der Rechenkern läuft nicht.</translation>
    </message>
    <message>
        <source>stopping</source>
        <translation>hält an</translation>
    </message>
    <message>
        <source>stopping; this step cannot be broken off and may take another %1</source>
        <translation>hält an; dieser Schritt lässt sich nicht abbrechen und kann noch %1 dauern</translation>
    </message>
</context>
<context>
    <name>JobsModel</name>
    <message>
        <source>%1 left</source>
        <translation>noch %1</translation>
    </message>
    <message>
        <source>cancelled</source>
        <translation>abgebrochen</translation>
    </message>
    <message>
        <source>cancelled; finished parts are kept</source>
        <translation>abgebrochen; Fertiges ist behalten</translation>
    </message>
    <message>
        <source>starting</source>
        <translation>beginnt</translation>
    </message>
    <message>
        <source>waiting</source>
        <translation>wartet</translation>
    </message>
</context>
<context>
    <name>JobsPanel</name>
    <message>
        <source>%1: the selected job</source>
        <translation>%1: der gewählte Auftrag</translation>
    </message>
    <message>
        <source>Analyses, measurements and exports of this run are listed here.</source>
        <translation>Analysen, Messungen und Exporte dieses Laufs stehen hier.</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>Abbrechen</translation>
    </message>
    <message>
        <source>Clear ended</source>
        <translation>Beendete entfernen</translation>
    </message>
    <message>
        <source>Clear ended jobs</source>
        <translation>Beendete Aufträge entfernen</translation>
    </message>
    <message>
        <source>Copy report</source>
        <translation>Bericht kopieren</translation>
    </message>
    <message>
        <source>Details</source>
        <translation>Einzelheiten</translation>
    </message>
    <message>
        <source>Job</source>
        <translation>Auftrag</translation>
    </message>
    <message>
        <source>Jobs</source>
        <translation>Aufträge</translation>
    </message>
    <message>
        <source>No jobs yet</source>
        <translation>Noch keine Aufträge</translation>
    </message>
    <message>
        <source>Open folder</source>
        <translation>Ordner öffnen</translation>
    </message>
    <message>
        <source>Resume</source>
        <translation>Fortsetzen</translation>
    </message>
</context>
<context>
    <name>LayerDifferencePlot</name>
    <message>
        <source>%1 against %2: more bits in %3 layers, fewer in %4 of %5. Arrow keys move a cursor.</source>
        <translation>%1 gegen %2: mehr Bits in %3 Schichten, weniger in %4 von %5. Pfeiltasten bewegen einen Cursor.</translation>
    </message>
    <message>
        <source>%1 spends fewer</source>
        <translation>%1 gibt weniger aus</translation>
    </message>
    <message>
        <source>%1 spends more</source>
        <translation>%1 gibt mehr aus</translation>
    </message>
    <message>
        <source>%1: %2 bits</source>
        <translation>%1: %2 Bit</translation>
    </message>
    <message>
        <source>%1: %2 bits, %3</source>
        <translation>%1: %2 Bit, %3</translation>
    </message>
    <message>
        <source>Choose two plans to compare their layers.</source>
        <translation>Wählen Sie zwei Pläne, um ihre Schichten zu vergleichen.</translation>
    </message>
    <message>
        <source>Difference of bits per layer</source>
        <translation>Unterschied der Bits je Schicht</translation>
    </message>
    <message>
        <source>Difference of mean bits per layer</source>
        <translation>Unterschied der mittleren Bits je Schicht</translation>
    </message>
    <message>
        <source>block</source>
        <translation>Block</translation>
    </message>
    <message>
        <source>difference, bits</source>
        <translation>Unterschied, Bit</translation>
    </message>
    <message>
        <source>layer</source>
        <translation>Schicht</translation>
    </message>
    <message>
        <source>Δ mean bits</source>
        <translation>Δ mittlere Bits</translation>
    </message>
</context>
<context>
    <name>LayersModel</name>
    <message>
        <source>%1 bits %2</source>
        <translation>%1 Bit %2</translation>
    </message>
    <message>
        <source>Bits, by share</source>
        <translation>Bits, anteilig</translation>
    </message>
    <message>
        <source>Kind</source>
        <translation>Art</translation>
    </message>
    <message>
        <source>Layer</source>
        <translation>Schicht</translation>
    </message>
    <message>
        <source>Mean</source>
        <translation>Mittel</translation>
    </message>
    <message>
        <source>Pinned</source>
        <translation>Fest</translation>
    </message>
    <message>
        <source>Predicted cost of storing the layer at 3 bits, in nats per token</source>
        <translation>Vorhergesagte Kosten, die Schicht mit 3 Bit zu speichern, in nats je Token</translation>
    </message>
    <message>
        <source>Sens.</source>
        <translation>Empf.</translation>
    </message>
    <message>
        <source>Sensitivity %1 nats per token at 3 bits</source>
        <translation>Empfindlichkeit %1 nats je Token bei 3 Bit</translation>
    </message>
    <message>
        <source>Shape</source>
        <translation>Form</translation>
    </message>
    <message>
        <source>Share of the weights per bit width, narrow to wide</source>
        <translation>Anteil der Gewichte je Bitbreite, schmal bis breit</translation>
    </message>
    <message>
        <source>Stored bits per weight, all overhead included</source>
        <translation>Gespeicherte Bits je Gewicht, mit allem Beiwerk</translation>
    </message>
    <message>
        <source>The layer's part of the predicted increase in perplexity</source>
        <translation>Anteil der Schicht am vorhergesagten Anstieg der Perplexität</translation>
    </message>
    <message>
        <source>Weights</source>
        <translation>Gewichte</translation>
    </message>
    <message>
        <source>sensitivity %1</source>
        <translation>Empfindlichkeit %1</translation>
    </message>
    <message>
        <source>Δ ppl</source>
        <translation>Δ PPL</translation>
    </message>
</context>
<context>
    <name>LayersPanel</name>
    <message>
        <source>Copy name</source>
        <translation>Namen kopieren</translation>
    </message>
    <message>
        <source>Filter layers</source>
        <translation>Schichten filtern</translation>
    </message>
    <message>
        <source>Filter: name, kind:v, &gt;3.2, pinned</source>
        <translation>Filter: Name, kind:v, &gt;3.2, pinned</translation>
    </message>
    <message>
        <source>Layers</source>
        <translation>Schichten</translation>
    </message>
    <message>
        <source>No layer matches the filter.</source>
        <translation>Keine Schicht passt zum Filter.</translation>
    </message>
    <message>
        <source>Pin…</source>
        <translation>Festlegen…</translation>
    </message>
    <message>
        <source>The layers of the model appear here.</source>
        <translation>Hier erscheinen die Schichten des Modells.</translation>
    </message>
    <message>
        <source>Unpin</source>
        <translation>Lösen</translation>
    </message>
    <message>
        <source>Why these bits?</source>
        <translation>Warum diese Bits?</translation>
    </message>
    <message>
        <source>Words of the name, kind:v, a bound on the mean bits such as &gt;3.2, or pinned. All must hold.</source>
        <translation>Wörter des Namens, kind:v, eine Schranke für die mittleren Bits wie &gt;3.2, oder pinned. Alles muss gelten.</translation>
    </message>
</context>
<context>
    <name>LocalModels</name>
    <message>
        <source>%1 parameters, %2</source>
        <translation>%1 Parameter, %2</translation>
    </message>
</context>
<context>
    <name>LogModel</name>
    <message>
        <source>From</source>
        <translation>Von</translation>
    </message>
    <message>
        <source>Level</source>
        <translation>Stufe</translation>
    </message>
    <message>
        <source>Message</source>
        <translation>Meldung</translation>
    </message>
    <message>
        <source>Time</source>
        <translation>Zeit</translation>
    </message>
    <message>
        <source>debug</source>
        <translation>Debug</translation>
    </message>
    <message>
        <source>error</source>
        <translation>Fehler</translation>
    </message>
    <message>
        <source>info</source>
        <translation>Info</translation>
    </message>
    <message>
        <source>warning</source>
        <translation>Warnung</translation>
    </message>
</context>
<context>
    <name>LogPanel</name>
    <message>
        <source>%1 and above</source>
        <translation>ab %1</translation>
    </message>
    <message>
        <source>Clear</source>
        <translation>Leeren</translation>
    </message>
    <message>
        <source>Clear the log</source>
        <translation>Protokoll leeren</translation>
    </message>
    <message>
        <source>Copy</source>
        <translation>Kopieren</translation>
    </message>
    <message>
        <source>Copy the log</source>
        <translation>Protokoll kopieren</translation>
    </message>
    <message>
        <source>Filter</source>
        <translation>Filter</translation>
    </message>
    <message>
        <source>Filter the log</source>
        <translation>Protokoll filtern</translation>
    </message>
    <message>
        <source>Follow</source>
        <translation>Mitlaufen</translation>
    </message>
    <message>
        <source>Follow the end of the log</source>
        <translation>Dem Ende des Protokolls folgen</translation>
    </message>
    <message>
        <source>Least level of the log</source>
        <translation>Niedrigste Stufe des Protokolls</translation>
    </message>
    <message>
        <source>Lines of the log</source>
        <translation>Zeilen des Protokolls</translation>
    </message>
    <message>
        <source>No line of this level and text.</source>
        <translation>Keine Zeile dieser Stufe und dieses Textes.</translation>
    </message>
    <message>
        <source>Save the log</source>
        <translation>Protokoll sichern</translation>
    </message>
    <message>
        <source>Save…</source>
        <translation>Sichern…</translation>
    </message>
    <message>
        <source>Text files (*.log *.txt)</source>
        <translation>Textdateien (*.log *.txt)</translation>
    </message>
    <message>
        <source>The log could not be saved to '%1': %2.</source>
        <translation>Das Protokoll konnte nicht in '%1' gesichert werden: %2.</translation>
    </message>
    <message>
        <source>warning</source>
        <translation>Warnung</translation>
    </message>
</context>
<context>
    <name>MainWindow</name>
    <message>
        <source>%1 (%2)</source>
        <translation>%1 (%2)</translation>
    </message>
    <message>
        <source>%1 bits/weight</source>
        <translation>%1 Bits/Gewicht</translation>
    </message>
    <message>
        <source>%1 is not finished.</source>
        <translation>%1 ist nicht fertig.</translation>
    </message>
    <message>
        <source>%1 other jobs are cancelled.</source>
        <translation>%1 andere Aufträge werden abgebrochen.</translation>
    </message>
    <message>
        <source>%1, edited</source>
        <translation>%1, geändert</translation>
    </message>
    <message>
        <source>%1[*] — Bitloom</source>
        <translation>%1[*] — Bitloom</translation>
    </message>
    <message>
        <source>&amp;About Bitloom</source>
        <translation>Ü&amp;ber Bitloom</translation>
    </message>
    <message>
        <source>&amp;Analyze</source>
        <translation>&amp;Analysieren</translation>
    </message>
    <message>
        <source>&amp;Close model</source>
        <translation>Modell s&amp;chließen</translation>
    </message>
    <message>
        <source>&amp;Copy as command</source>
        <translation>Als Befehl &amp;kopieren</translation>
    </message>
    <message>
        <source>&amp;Edit</source>
        <translation>&amp;Bearbeiten</translation>
    </message>
    <message>
        <source>&amp;Exact budget</source>
        <translation>&amp;Genaues Budget</translation>
    </message>
    <message>
        <source>&amp;Export…</source>
        <translation>&amp;Exportieren…</translation>
    </message>
    <message>
        <source>&amp;File</source>
        <translation>&amp;Datei</translation>
    </message>
    <message>
        <source>&amp;Filter layers</source>
        <translation>Schichten &amp;filtern</translation>
    </message>
    <message>
        <source>&amp;Guide</source>
        <translation>An&amp;leitung</translation>
    </message>
    <message>
        <source>&amp;Help</source>
        <translation>&amp;Hilfe</translation>
    </message>
    <message>
        <source>&amp;Measure</source>
        <translation>&amp;Messen</translation>
    </message>
    <message>
        <source>&amp;Model</source>
        <translation>&amp;Modell</translation>
    </message>
    <message>
        <source>&amp;Open…</source>
        <translation>Ö&amp;ffnen…</translation>
    </message>
    <message>
        <source>&amp;Panels</source>
        <translation>&amp;Felder</translation>
    </message>
    <message>
        <source>&amp;Pin…</source>
        <translation>&amp;Festlegen…</translation>
    </message>
    <message>
        <source>&amp;Plan</source>
        <translation>&amp;Plan</translation>
    </message>
    <message>
        <source>&amp;Preset</source>
        <translation>&amp;Vorgabe</translation>
    </message>
    <message>
        <source>&amp;Properties…</source>
        <translation>&amp;Eigenschaften…</translation>
    </message>
    <message>
        <source>&amp;Quit</source>
        <translation>&amp;Beenden</translation>
    </message>
    <message>
        <source>&amp;Redo</source>
        <translation>&amp;Wiederholen</translation>
    </message>
    <message>
        <source>&amp;Rename preset…</source>
        <translation>Vorgabe &amp;umbenennen…</translation>
    </message>
    <message>
        <source>&amp;Reset layout</source>
        <translation>Anordnung &amp;zurücksetzen</translation>
    </message>
    <message>
        <source>&amp;Restart engine</source>
        <translation>Rechenkern &amp;neu starten</translation>
    </message>
    <message>
        <source>&amp;Run</source>
        <translation>A&amp;usführen</translation>
    </message>
    <message>
        <source>&amp;Save as preset…</source>
        <translation>Als Vorgabe &amp;sichern…</translation>
    </message>
    <message>
        <source>&amp;Save session</source>
        <translation>Sitzung &amp;sichern</translation>
    </message>
    <message>
        <source>&amp;Stop</source>
        <translation>&amp;Anhalten</translation>
    </message>
    <message>
        <source>&amp;Undo</source>
        <translation>&amp;Rückgängig</translation>
    </message>
    <message>
        <source>&amp;View</source>
        <translation>&amp;Ansicht</translation>
    </message>
    <message>
        <source>&amp;What is this?</source>
        <translation>&amp;Was ist das?</translation>
    </message>
    <message>
        <source>A copy of the file is kept as '%1'.</source>
        <translation>Eine Kopie der Datei liegt als '%1' vor.</translation>
    </message>
    <message>
        <source>A job is running</source>
        <translation>Ein Auftrag läuft</translation>
    </message>
    <message>
        <source>A job is running. Open the session when it is done.</source>
        <translation>Ein Auftrag läuft. Die Sitzung öffnen, wenn er fertig ist.</translation>
    </message>
    <message>
        <source>A uniform plan has no command. Save it as a plan file instead.</source>
        <translation>Ein gleichmäßiger Plan hat keinen Befehl. Sichern Sie ihn als Plandatei.</translation>
    </message>
    <message>
        <source>About Bitloom</source>
        <translation>Über Bitloom</translation>
    </message>
    <message>
        <source>Actions</source>
        <translation>Aktionen</translation>
    </message>
    <message>
        <source>Analyze &amp;with…</source>
        <translation>Analysieren &amp;mit…</translation>
    </message>
    <message>
        <source>Another job that waits is cancelled.</source>
        <translation>Ein weiterer Auftrag, der wartet, wird abgebrochen.</translation>
    </message>
    <message>
        <source>Bitloom sessions (*.bitloom-session)</source>
        <translation>Bitloom-Sitzungen (*.bitloom-session)</translation>
    </message>
    <message>
        <source>Budget &amp;down</source>
        <translation>Budget &amp;kleiner</translation>
    </message>
    <message>
        <source>Budget &amp;up</source>
        <translation>Budget g&amp;rößer</translation>
    </message>
    <message>
        <source>Budget far d&amp;own</source>
        <translation>Budget &amp;viel kleiner</translation>
    </message>
    <message>
        <source>Budget far u&amp;p</source>
        <translation>Budget v&amp;iel größer</translation>
    </message>
    <message>
        <source>Cancel the job</source>
        <translation>Auftrag abbrechen</translation>
    </message>
    <message>
        <source>Cancelled, it has to be started again.</source>
        <translation>Abgebrochen muss er neu begonnen werden.</translation>
    </message>
    <message>
        <source>Choose a panel</source>
        <translation>Bereich wählen</translation>
    </message>
    <message>
        <source>Close panel %1</source>
        <translation>Feld %1 schließen</translation>
    </message>
    <message>
        <source>Copied: %1</source>
        <translation>Kopiert: %1</translation>
    </message>
    <message>
        <source>De&amp;lete preset</source>
        <translation>Vorgabe &amp;löschen</translation>
    </message>
    <message>
        <source>Detach panel %1</source>
        <translation>Feld %1 ablösen</translation>
    </message>
    <message>
        <source>Explore</source>
        <translation>Erkunden</translation>
    </message>
    <message>
        <source>F&amp;ull screen</source>
        <translation>&amp;Vollbild</translation>
    </message>
    <message>
        <source>It can go on without this window and is found again at the next start. Cancelled, it keeps what is finished.</source>
        <translation>Er kann ohne dieses Fenster weiterlaufen und wird beim nächsten Start wiedergefunden. Abgebrochen behält er, was fertig ist.</translation>
    </message>
    <message>
        <source>Jobs</source>
        <translation>Aufträge</translation>
    </message>
    <message>
        <source>Jobs (%1)</source>
        <translation>Aufträge (%1)</translation>
    </message>
    <message>
        <source>Keep running</source>
        <translation>Weiterlaufen lassen</translation>
    </message>
    <message>
        <source>Layers</source>
        <translation>Schichten</translation>
    </message>
    <message>
        <source>Layout %1</source>
        <translation>Anordnung %1</translation>
    </message>
    <message>
        <source>Locate the model</source>
        <translation>Modell suchen</translation>
    </message>
    <message>
        <source>Locate…</source>
        <translation>Suchen…</translation>
    </message>
    <message>
        <source>Log</source>
        <translation>Log</translation>
    </message>
    <message>
        <source>Measure a&amp;gain</source>
        <translation>Noch &amp;einmal messen</translation>
    </message>
    <message>
        <source>Name</source>
        <translation>Name</translation>
    </message>
    <message>
        <source>No pin names these channels alone. Wider pins are unticked in the list of pins.</source>
        <translation>Keine Festlegung nennt genau diese Kanäle. Weitere werden in der Liste abgewählt.</translation>
    </message>
    <message>
        <source>Open &amp;recent</source>
        <translation>&amp;Zuletzt geöffnet</translation>
    </message>
    <message>
        <source>Open &amp;session…</source>
        <translation>Si&amp;tzung öffnen…</translation>
    </message>
    <message>
        <source>Open a model folder</source>
        <translation>Modellordner öffnen</translation>
    </message>
    <message>
        <source>Open a session</source>
        <translation>Sitzung öffnen</translation>
    </message>
    <message>
        <source>Open the sam&amp;ple</source>
        <translation>Beis&amp;piel öffnen</translation>
    </message>
    <message>
        <source>P&amp;reset</source>
        <translation>&amp;Vorgabe</translation>
    </message>
    <message>
        <source>Pareto</source>
        <translation>Pareto</translation>
    </message>
    <message>
        <source>Pins are being applied. Save the plan when they are.</source>
        <translation>Festlegungen werden angewandt. Sichern Sie den Plan danach.</translation>
    </message>
    <message>
        <source>Plan</source>
        <translation>Plan</translation>
    </message>
    <message>
        <source>Plan saved to %1; 'bitloom quantize --plan' takes it</source>
        <translation>Plan in %1 gesichert; 'bitloom quantize --plan' nimmt ihn</translation>
    </message>
    <message>
        <source>Plans (*.json)</source>
        <translation>Pläne (*.json)</translation>
    </message>
    <message>
        <source>Plot as &amp;table</source>
        <translation>Grafik als &amp;Tabelle</translation>
    </message>
    <message>
        <source>Pre&amp;ferences…</source>
        <translation>&amp;Einstellungen…</translation>
    </message>
    <message>
        <source>Preset</source>
        <translation>Vorgabe</translation>
    </message>
    <message>
        <source>Quantizes large language models to any number of bits per weight.

The engine is under the Apache License 2.0, this application under the GNU GPL, version 3 or later. It is made with Qt %1 and QCustomPlot.</source>
        <translation>Quantisiert große Sprachmodelle auf beliebig viele Bits je Gewicht.

Der Rechenkern steht unter der Apache License 2.0, dieses Programm unter der GNU GPL, Version 3 oder später. Es ist mit Qt %1 und QCustomPlot gemacht.</translation>
    </message>
    <message>
        <source>Remove %1 (missing)</source>
        <translation>%1 entfernen (fehlt)</translation>
    </message>
    <message>
        <source>Rename preset</source>
        <translation>Vorgabe umbenennen</translation>
    </message>
    <message>
        <source>Save as preset</source>
        <translation>Als Vorgabe sichern</translation>
    </message>
    <message>
        <source>Save p&amp;lan file…</source>
        <translation>P&amp;landatei sichern…</translation>
    </message>
    <message>
        <source>Save session &amp;as…</source>
        <translation>Sitzung sichern &amp;unter…</translation>
    </message>
    <message>
        <source>Save the plan</source>
        <translation>Plan sichern</translation>
    </message>
    <message>
        <source>Save the session</source>
        <translation>Sitzung sichern</translation>
    </message>
    <message>
        <source>Session saved to %1</source>
        <translation>Sitzung in %1 gesichert</translation>
    </message>
    <message>
        <source>Start that engine</source>
        <translation>Diese Engine starten</translation>
    </message>
    <message>
        <source>Stay</source>
        <translation>Bleiben</translation>
    </message>
    <message>
        <source>The engine here will be used from now on.</source>
        <translation>Von jetzt an wird die Engine hier verwendet.</translation>
    </message>
    <message>
        <source>The engine will be started with: %1</source>
        <translation>Die Engine wird gestartet mit: %1</translation>
    </message>
    <message>
        <source>The model could not be opened</source>
        <translation>Das Modell konnte nicht geöffnet werden</translation>
    </message>
    <message>
        <source>The model of this session is no longer at '%1'.</source>
        <translation>Das Modell dieser Sitzung ist nicht mehr unter '%1'.</translation>
    </message>
    <message>
        <source>The model of this session is on another machine.</source>
        <translation>Das Modell dieser Sitzung liegt auf einem anderen Rechner.</translation>
    </message>
    <message>
        <source>The model of this session is on this machine, but the engine runs on another one.</source>
        <translation>Das Modell dieser Sitzung liegt auf diesem Rechner, aber die Engine läuft auf einem anderen.</translation>
    </message>
    <message>
        <source>The session could not be opened: %1</source>
        <translation>Die Sitzung konnte nicht geöffnet werden: %1</translation>
    </message>
    <message>
        <source>U&amp;npin</source>
        <translation>&amp;Lösen</translation>
    </message>
    <message>
        <source>Undo &amp;list…</source>
        <translation>&amp;Liste der Schritte…</translation>
    </message>
    <message>
        <source>Undo list</source>
        <translation>Liste der Schritte</translation>
    </message>
    <message>
        <source>Unpin</source>
        <translation>Lösen</translation>
    </message>
    <message>
        <source>W&amp;hy these bits?</source>
        <translation>&amp;Warum diese Bits?</translation>
    </message>
    <message>
        <source>as opened</source>
        <translation>wie geöffnet</translation>
    </message>
    <message>
        <source>modified</source>
        <translation>geändert</translation>
    </message>
    <message>
        <source>none yet</source>
        <translation>noch keine</translation>
    </message>
</context>
<context>
    <name>MeasureDialog</name>
    <message>
        <source>%1, %2</source>
        <translation>%1, %2</translation>
    </message>
    <message>
        <source>&amp;File</source>
        <translation>&amp;Datei</translation>
    </message>
    <message>
        <source>&amp;Model</source>
        <translation>&amp;Modell</translation>
    </message>
    <message>
        <source>&amp;Protocol</source>
        <translation>&amp;Protokoll</translation>
    </message>
    <message>
        <source>&amp;Text</source>
        <translation>&amp;Text</translation>
    </message>
    <message>
        <source>&amp;Windows</source>
        <translation>&amp;Fenster</translation>
    </message>
    <message>
        <source>A plan has a command once it is exported to a folder.</source>
        <translation>Ein Plan hat einen Befehl, sobald er in einen Ordner exportiert ist.</translation>
    </message>
    <message>
        <source>Choose a text</source>
        <translation>Text wählen</translation>
    </message>
    <message>
        <source>Choose a text file.</source>
        <translation>Wählen Sie eine Textdatei.</translation>
    </message>
    <message>
        <source>Choose…</source>
        <translation>Wählen…</translation>
    </message>
    <message>
        <source>Copy as command</source>
        <translation>Als Befehl kopieren</translation>
    </message>
    <message>
        <source>Fewer windows are faster, with a larger standard error.</source>
        <translation>Weniger Fenster sind schneller, mit größerem Standardfehler.</translation>
    </message>
    <message>
        <source>Measure</source>
        <translation>Messen</translation>
    </message>
    <message>
        <source>Measure perplexity</source>
        <translation>Perplexität messen</translation>
    </message>
    <message>
        <source>Model to measure</source>
        <translation>Modell, das gemessen wird</translation>
    </message>
    <message>
        <source>Path of the text</source>
        <translation>Pfad des Textes</translation>
    </message>
    <message>
        <source>Protocol</source>
        <translation>Protokoll</translation>
    </message>
    <message>
        <source>Reads a text with the plan and with FP16, and compares them window by window: perplexity, KL divergence, and how often both find the same token likeliest. A plan is carried out in memory first; nothing is written. Predictions are re-fitted by the result.</source>
        <translation>Liest einen Text mit dem Plan und mit FP16 und vergleicht Fenster für Fenster: Perplexität, KL-Divergenz, und wie oft beide dasselbe Token für das wahrscheinlichste halten. Ein Plan wird zuerst im Speicher ausgeführt; geschrieben wird nichts. Das Ergebnis passt die Vorhersagen neu an.</translation>
    </message>
    <message>
        <source>Text to measure on</source>
        <translation>Text, an dem gemessen wird</translation>
    </message>
    <message>
        <source>The engine is not running. Restart it from the Run menu.</source>
        <translation>Die Engine läuft nicht. Starten Sie sie im Menü Ausführen neu.</translation>
    </message>
    <message>
        <source>There is no file '%1'.</source>
        <translation>Es gibt keine Datei '%1'.</translation>
    </message>
    <message>
        <source>This plan, %1</source>
        <translation>Dieser Plan, %1</translation>
    </message>
    <message>
        <source>Windows at most</source>
        <translation>Fenster höchstens</translation>
    </message>
    <message>
        <source>a text file</source>
        <translation>eine Textdatei</translation>
    </message>
    <message>
        <source>all</source>
        <translation>alle</translation>
    </message>
    <message>
        <source>ctx4096: windows of 4 096 tokens</source>
        <translation>ctx4096: Fenster zu 4 096 Token</translation>
    </message>
    <message>
        <source>gptq: windows of 2 048 tokens, as in papers</source>
        <translation>gptq: Fenster zu 2 048 Token, wie in Veröffentlichungen</translation>
    </message>
    <message>
        <source>llamacpp: as llama.cpp's perplexity counts</source>
        <translation>llamacpp: wie llama.cpp die Perplexität zählt</translation>
    </message>
    <message>
        <source>the model's own text, or the bundled one</source>
        <translation>der eigene Text des Modells, sonst der mitgelieferte</translation>
    </message>
</context>
<context>
    <name>MeasureRuns</name>
    <message>
        <source>Measuring perplexity of %1</source>
        <translation>Perplexität von %1 wird gemessen</translation>
    </message>
    <message>
        <source>of a model that is closed</source>
        <translation>von einem Modell, das geschlossen ist</translation>
    </message>
    <message>
        <source>perplexity %1 on %2</source>
        <translation>Perplexität %1 an %2</translation>
    </message>
    <message>
        <source>perplexity %1 on %2, predicted %3</source>
        <translation>Perplexität %1 auf %2, vorhergesagt %3</translation>
    </message>
</context>
<context>
    <name>MetricHelp</name>
    <message>
        <source>8 · stored bytes of the quantized layers / their weights</source>
        <translation>8 · gespeicherte Bytes der quantisierten Schichten / deren Gewichte</translation>
    </message>
    <message>
        <source>Activation RMS</source>
        <translation>Effektivwert der Aktivierung</translation>
    </message>
    <message>
        <source>Activation abs-max</source>
        <translation>Höchstbetrag der Aktivierung</translation>
    </message>
    <message>
        <source>As the present plan stores it.</source>
        <translation>So, wie der jetzige Plan sie speichert.</translation>
    </message>
    <message>
        <source>Bits</source>
        <translation>Bits</translation>
    </message>
    <message>
        <source>Bits per weight</source>
        <translation>Bits je Gewicht</translation>
    </message>
    <message>
        <source>Both models read the left text; p and q are what each expected at this place. Thicker lines under the text stand for more.</source>
        <translation>Beide Modelle lesen den linken Text; p und q sind, was jedes an dieser Stelle erwartet. Dickere Linien unter dem Text bedeuten mehr.</translation>
    </message>
    <message>
        <source>Bytes that its channels take more than they would be given, and what the predicted perplexity gains by them.</source>
        <translation>Bytes, die ihre Kanäle mehr belegen, als sie sonst bekämen, und was die vorhergesagte Perplexität dadurch gewinnt.</translation>
    </message>
    <message>
        <source>Computed by the code that writes them. The bits per weight of a part are its bits divided by the weights of the quantized layers.</source>
        <translation>Berechnet von dem Code, der sie schreibt. Die Bits je Gewicht eines Teils sind seine Bits, geteilt durch die Gewichte der quantisierten Schichten.</translation>
    </message>
    <message>
        <source>Cost of a pin</source>
        <translation>Kosten einer Festlegung</translation>
    </message>
    <message>
        <source>Errors add up worse than linearly where they are large. The scale s starts from measurements on the sample and is fitted to your own, the nearest budget first; the band is the spread of measured over predicted.</source>
        <translation>Fehler summieren sich mehr als linear, wo sie groß sind. Der Maßstab s beginnt mit Messungen am Beispiel und wird an eigene angepasst, das nächste Budget zuerst; das Band ist die Streuung von gemessen zu vorhergesagt.</translation>
    </message>
    <message>
        <source>Everything is counted: codes, tables, scales, zero points, outliers, class lists. Embedding, head, norms and the tokenizer are not in it.</source>
        <translation>Alles zählt: Codes, Tabellen, Skalen, Nullpunkte, Ausreißer, Klassenlisten. Einbettung, Kopf, Normen und Tokenizer sind nicht darin.</translation>
    </message>
    <message>
        <source>How large input channel k usually is. An error in the weights of a channel is multiplied by it.</source>
        <translation>Wie groß der Eingangskanal k gewöhnlich ist. Ein Fehler in den Gewichten eines Kanals wird damit multipliziert.</translation>
    </message>
    <message>
        <source>How large the weights are that read channel k.</source>
        <translation>Wie groß die Gewichte sind, die Kanal k lesen.</translation>
    </message>
    <message>
        <source>How much less likely the quantized model finds the left text, in nats per token.</source>
        <translation>Um wie viel unwahrscheinlicher das quantisierte Modell den linken Text findet, in Nats je Token.</translation>
    </message>
    <message>
        <source>How often both models find the same next token likeliest, so that greedy answers go on alike.</source>
        <translation>Wie oft beide Modelle dasselbe nächste Token für das wahrscheinlichste halten, sodass gierige Antworten gleich weitergehen.</translation>
    </message>
    <message>
        <source>KL divergence</source>
        <translation>KL-Divergenz</translation>
    </message>
    <message>
        <source>KL of a token</source>
        <translation>KL eines Tokens</translation>
    </message>
    <message>
        <source>Measured perplexity</source>
        <translation>Gemessene Perplexität</translation>
    </message>
    <message>
        <source>Of the quantized layers. While the budget is dragged, a line marks where each bar was.</source>
        <translation>Der quantisierten Schichten. Während das Budget gezogen wird, zeigt ein Strich, wo jeder Balken war.</translation>
    </message>
    <message>
        <source>Of the quantized model on a text; ± is one standard error over windows of the text.</source>
        <translation>Des quantisierten Modells auf einem Text; ± ist ein Standardfehler über Fenster des Textes.</translation>
    </message>
    <message>
        <source>Off by</source>
        <translation>Abweichung</translation>
    </message>
    <message>
        <source>Predicted error</source>
        <translation>Vorhergesagter Fehler</translation>
    </message>
    <message>
        <source>Predicted perplexity</source>
        <translation>Vorhergesagte Perplexität</translation>
    </message>
    <message>
        <source>Same top token</source>
        <translation>Gleiches erstes Token</translation>
    </message>
    <message>
        <source>Sensitivity</source>
        <translation>Empfindlichkeit</translation>
    </message>
    <message>
        <source>Sensitivity of a layer</source>
        <translation>Empfindlichkeit einer Schicht</translation>
    </message>
    <message>
        <source>Size</source>
        <translation>Größe</translation>
    </message>
    <message>
        <source>The largest magnitude that input channel k of the layer took on the calibration text. Channels far above the others are outliers.</source>
        <translation>Der größte Betrag, den der Eingangskanal k der Schicht auf dem Kalibriertext annahm. Kanäle weit über den anderen sind Ausreißer.</translation>
    </message>
    <message>
        <source>Weight RMS</source>
        <translation>Effektivwert der Gewichte</translation>
    </message>
    <message>
        <source>Weights by bit width</source>
        <translation>Gewichte nach Bitbreite</translation>
    </message>
    <message>
        <source>What channel k is expected to cost as the present plan stores it. The sum over all channels is what the predicted perplexity comes from.</source>
        <translation>Was Kanal k voraussichtlich kostet, so wie der jetzige Plan ihn speichert. Aus der Summe über alle Kanäle folgt die vorhergesagte Perplexität.</translation>
    </message>
    <message>
        <source>What storing channel k with 3 bits is expected to cost. γ: what the layer's output error costs; c(k): how much of the channel the others cannot stand in for; SSE: the squared rounding error of its weights.</source>
        <translation>Was es voraussichtlich kostet, Kanal k mit 3 Bit zu speichern. γ: was der Ausgabefehler der Schicht kostet; c(k): wie viel des Kanals die anderen nicht ersetzen können; SSE: der quadrierte Rundungsfehler seiner Gewichte.</translation>
    </message>
    <message>
        <source>What storing the whole layer with 3 bits is expected to cost. Colours are by order of magnitude.</source>
        <translation>Was es voraussichtlich kostet, die ganze Schicht mit 3 Bit zu speichern. Farben nach Größenordnung.</translation>
    </message>
    <message>
        <source>With the prediction as it was when the plan was measured.</source>
        <translation>Mit der Vorhersage, wie sie war, als der Plan gemessen wurde.</translation>
    </message>
    <message>
        <source>Without scales, tables and other overhead, which the figure bits per weight has in it. 16 is stored as it is.</source>
        <translation>Ohne Skalen, Tabellen und anderen Zusatz, die in den Bits je Gewicht enthalten sind. 16 wird unverändert gespeichert.</translation>
    </message>
    <message>
        <source>bits of one weight of channel k in the present plan</source>
        <translation>Bits eines Gewichts von Kanal k im jetzigen Plan</translation>
    </message>
    <message>
        <source>exp(NLL of FP16 + s · x · (1 + x / (x₁ + x/2))), x = ½ Σ γ c SSE</source>
        <translation>exp(NLL von FP16 + s · x · (1 + x / (x₁ + x/2))), x = ½ Σ γ c SSE</translation>
    </message>
    <message>
        <source>exp(mean over tokens of −ln p(token))</source>
        <translation>exp(Mittel über Tokens von −ln p(Token))</translation>
    </message>
    <message>
        <source>ln PPL ratio</source>
        <translation>ln des PPL-Verhältnisses</translation>
    </message>
    <message>
        <source>max over tokens t of |x(t,k)|</source>
        <translation>Maximum über Tokens t von |x(t,k)|</translation>
    </message>
    <message>
        <source>mean over tokens of ln p(token) − ln q(token)</source>
        <translation>Mittel über Tokens von ln p(Token) − ln q(Token)</translation>
    </message>
    <message>
        <source>mean over tokens of Σ p ln(p / q), nats</source>
        <translation>Mittel über Tokens von Σ p ln(p / q), Nats</translation>
    </message>
    <message>
        <source>measured / predicted perplexity − 1</source>
        <translation>gemessene / vorhergesagte Perplexität − 1</translation>
    </message>
    <message>
        <source>p: probabilities of the next token by FP16, q: by the quantized model. 0 is the same model. More telling than perplexity, which can stay equal while answers change.</source>
        <translation>p: Wahrscheinlichkeiten des nächsten Tokens nach FP16, q: nach dem quantisierten Modell. 0 ist dasselbe Modell. Aussagekräftiger als Perplexität, die gleich bleiben kann, während sich Antworten ändern.</translation>
    </message>
    <message>
        <source>predicted increase of perplexity · the layer's share of ½ Σ γ c SSE</source>
        <translation>vorhergesagter Anstieg der Perplexität · Anteil der Schicht an ½ Σ γ c SSE</translation>
    </message>
    <message>
        <source>share of tokens with argmax p = argmax q</source>
        <translation>Anteil der Tokens mit argmax p = argmax q</translation>
    </message>
    <message>
        <source>sum of the bytes of all files of the exported folder</source>
        <translation>Summe der Bytes aller Dateien des exportierten Ordners</translation>
    </message>
    <message>
        <source>weights stored with b bits / all weights</source>
        <translation>mit b Bit gespeicherte Gewichte / alle Gewichte</translation>
    </message>
    <message>
        <source>with the pin − without it, at the present λ</source>
        <translation>mit der Festlegung − ohne sie, beim jetzigen λ</translation>
    </message>
    <message>
        <source>½ · γ · c(k) · SSE(k, 3 bits), nats per token</source>
        <translation>½ · γ · c(k) · SSE(k, 3 Bit), Nats je Token</translation>
    </message>
    <message>
        <source>½ · γ · c(k) · SSE(k, bits of the plan), nats per token</source>
        <translation>½ · γ · c(k) · SSE(k, Bits des Plans), Nats je Token</translation>
    </message>
    <message>
        <source>Δ ppl of a layer</source>
        <translation>Δ ppl einer Schicht</translation>
    </message>
    <message>
        <source>Σ over channels of ½ · γ · c · SSE(3 bits), nats per token</source>
        <translation>Σ über Kanäle von ½ · γ · c · SSE(3 Bit), Nats je Token</translation>
    </message>
    <message>
        <source>Σ p ln(p / q) over the vocabulary, nats</source>
        <translation>Σ p ln(p / q) über das Vokabular, Nats</translation>
    </message>
    <message>
        <source>√(mean over rows j of W(j,k)²)</source>
        <translation>√(Mittel über Zeilen j von W(j,k)²)</translation>
    </message>
    <message>
        <source>√(mean over tokens t of x(t,k)²)</source>
        <translation>√(Mittel über Tokens t von x(t,k)²)</translation>
    </message>
</context>
<context>
    <name>ModelData</name>
    <message>
        <source>%1, %2 windows of %3 tokens</source>
        <translation>%1, %2 Fenster zu %3 Token</translation>
    </message>
    <message>
        <source>token ids</source>
        <translation>Token-Nummern</translation>
    </message>
</context>
<context>
    <name>ModelDialog</name>
    <message>
        <source>%1 bytes</source>
        <translation>%1 Bytes</translation>
    </message>
    <message>
        <source>%1 layers, hidden %2, MLP %3, %4 heads (%5 for keys), vocabulary %6</source>
        <translation>%1 Schichten, verborgen %2, MLP %3, %4 Köpfe (%5 für Schlüssel), Vokabular %6</translation>
    </message>
    <message>
        <source>%1 tokens</source>
        <translation>%1 Token</translation>
    </message>
    <message>
        <source>%1 weights in %2 layers, %3 channels</source>
        <translation>%1 Gewichte in %2 Schichten, %3 Kanäle</translation>
    </message>
    <message>
        <source>Analyzed on</source>
        <translation>Analysiert auf</translation>
    </message>
    <message>
        <source>Architecture</source>
        <translation>Architektur</translation>
    </message>
    <message>
        <source>Context</source>
        <translation>Kontext</translation>
    </message>
    <message>
        <source>Fingerprint</source>
        <translation>Fingerabdruck</translation>
    </message>
    <message>
        <source>Folder</source>
        <translation>Ordner</translation>
    </message>
    <message>
        <source>Memory</source>
        <translation>Speicher</translation>
    </message>
    <message>
        <source>Parameters</source>
        <translation>Parameter</translation>
    </message>
    <message>
        <source>Quantized part</source>
        <translation>Quantisierter Teil</translation>
    </message>
    <message>
        <source>Shape</source>
        <translation>Form</translation>
    </message>
    <message>
        <source>Stored as</source>
        <translation>Gespeichert als</translation>
    </message>
    <message>
        <source>Weight files</source>
        <translation>Gewichtsdateien</translation>
    </message>
    <message>
        <source>being estimated</source>
        <translation>wird geschätzt</translation>
    </message>
    <message>
        <source>not analyzed yet</source>
        <translation>noch nicht analysiert</translation>
    </message>
    <message>
        <source>to analyze %1, to chat %2, to quantize %3; available %4</source>
        <translation>zum Analysieren %1, zum Chatten %2, zum Quantisieren %3; verfügbar %4</translation>
    </message>
</context>
<context>
    <name>ParetoPanel</name>
    <message>
        <source>Delete</source>
        <translation>Löschen</translation>
    </message>
    <message>
        <source>Measure this plan</source>
        <translation>Diesen Plan messen</translation>
    </message>
    <message>
        <source>Perplexity over size</source>
        <translation>Perplexität über Größe</translation>
    </message>
    <message>
        <source>Plans</source>
        <translation>Pläne</translation>
    </message>
    <message>
        <source>Predicting the whole range…</source>
        <translation>Der ganze Bereich wird vorhergesagt…</translation>
    </message>
    <message>
        <source>Rename…</source>
        <translation>Umbenennen…</translation>
    </message>
    <message>
        <source>Save as plan file…</source>
        <translation>Als Plandatei sichern…</translation>
    </message>
    <message>
        <source>The curve of size and perplexity appears once the model is analyzed.</source>
        <translation>Die Kurve von Größe und Perplexität erscheint, sobald das Modell analysiert ist.</translation>
    </message>
    <message>
        <source>Use this preset</source>
        <translation>Diese Vorgabe verwenden</translation>
    </message>
    <message>
        <source>this plan</source>
        <translation>dieser Plan</translation>
    </message>
    <message>
        <source>○ Predicted</source>
        <translation>○ Vorhergesagt</translation>
    </message>
</context>
<context>
    <name>ParetoPlot</name>
    <message>
        <source>%1 bits per weight</source>
        <translation>%1 Bits je Gewicht</translation>
    </message>
    <message>
        <source>%1, measured</source>
        <translation>%1, gemessen</translation>
    </message>
    <message>
        <source>%1, measured %2</source>
        <translation>%1, gemessen %2</translation>
    </message>
    <message>
        <source>%1: predicted %2</source>
        <translation>%1: vorhergesagt %2</translation>
    </message>
    <message>
        <source>Analyze the model to see what every size costs in quality.</source>
        <translation>Analysieren Sie das Modell, um zu sehen, was jede Größe an Güte kostet.</translation>
    </message>
    <message>
        <source>Arrow keys move over the points, Enter takes the budget of one.</source>
        <translation>Pfeiltasten gehen über die Punkte, Eingabe nimmt das Budget eines Punkts.</translation>
    </message>
    <message>
        <source>FP16 %1</source>
        <translation>FP16 %1</translation>
    </message>
    <message>
        <source>No predictions yet.</source>
        <translation>Noch keine Vorhersagen.</translation>
    </message>
    <message>
        <source>Perplexity over size</source>
        <translation>Perplexität über Größe</translation>
    </message>
    <message>
        <source>Predicted</source>
        <translation>Vorhergesagt</translation>
    </message>
    <message>
        <source>Predicted curve of %1 points and %2 measurements.</source>
        <translation>Vorhergesagte Kurve aus %1 Punkten und %2 Messungen.</translation>
    </message>
    <message>
        <source>This plan: %1 bits per weight, predicted perplexity %2.</source>
        <translation>Dieser Plan: %1 Bits je Gewicht, vorhergesagte Perplexität %2.</translation>
    </message>
    <message>
        <source>bits per weight</source>
        <translation>Bits je Gewicht</translation>
    </message>
    <message>
        <source>bytes</source>
        <translation>Bytes</translation>
    </message>
    <message>
        <source>high</source>
        <translation>hoch</translation>
    </message>
    <message>
        <source>kind</source>
        <translation>Art</translation>
    </message>
    <message>
        <source>low</source>
        <translation>niedrig</translation>
    </message>
    <message>
        <source>measured</source>
        <translation>gemessen</translation>
    </message>
    <message>
        <source>measured ± error</source>
        <translation>gemessen ± Fehler</translation>
    </message>
    <message>
        <source>on %1</source>
        <translation>auf %1</translation>
    </message>
    <message>
        <source>on %1, %2 tokens</source>
        <translation>auf %1, %2 Token</translation>
    </message>
    <message>
        <source>perplexity</source>
        <translation>Perplexität</translation>
    </message>
    <message>
        <source>perplexity %1</source>
        <translation>Perplexität %1</translation>
    </message>
    <message>
        <source>perplexity ≈ %1, %2 to %3</source>
        <translation>Perplexität ≈ %1, %2 bis %3</translation>
    </message>
    <message>
        <source>perplexity, %1</source>
        <translation>Perplexität, %1</translation>
    </message>
    <message>
        <source>plan</source>
        <translation>Plan</translation>
    </message>
    <message>
        <source>predicted</source>
        <translation>vorhergesagt</translation>
    </message>
    <message>
        <source>predicted, with band</source>
        <translation>vorhergesagt, mit Band</translation>
    </message>
    <message>
        <source>sigma</source>
        <translation>Sigma</translation>
    </message>
    <message>
        <source>size, GiB</source>
        <translation>Größe, GiB</translation>
    </message>
    <message>
        <source>size, MiB</source>
        <translation>Größe, MiB</translation>
    </message>
    <message>
        <source>text</source>
        <translation>Text</translation>
    </message>
    <message>
        <source>this plan</source>
        <translation>dieser Plan</translation>
    </message>
    <message>
        <source>tokens</source>
        <translation>Token</translation>
    </message>
    <message>
        <source>true bits per weight</source>
        <translation>wahre Bits je Gewicht</translation>
    </message>
    <message>
        <source>uniform, measured</source>
        <translation>gleichmäßig, gemessen</translation>
    </message>
    <message>
        <source>was predicted %1, off by %2%3 %</source>
        <translation>vorhergesagt war %1, Abweichung %2%3 %</translation>
    </message>
</context>
<context>
    <name>PinDialog</name>
    <message>
        <source>%1 bits</source>
        <translation>%1 Bit</translation>
    </message>
    <message>
        <source>%1 in all layers</source>
        <translation>%1 in allen Schichten</translation>
    </message>
    <message>
        <source>%1 selected channels of %2</source>
        <translation>%1 gewählte Kanäle von %2</translation>
    </message>
    <message>
        <source>%1 selected layers</source>
        <translation>%1 gewählte Schichten</translation>
    </message>
    <message>
        <source>&amp;Pattern</source>
        <translation>&amp;Muster</translation>
    </message>
    <message>
        <source>&amp;What</source>
        <translation>&amp;Was</translation>
    </message>
    <message>
        <source>16, as stored (FP16)</source>
        <translation>16, wie gespeichert (FP16)</translation>
    </message>
    <message>
        <source>A pin holds whatever the budget, and counts towards it.</source>
        <translation>Eine Festlegung gilt bei jedem Budget und zählt dazu.</translation>
    </message>
    <message>
        <source>A regular expression, searched anywhere in the layer's full name. Channels in brackets behind it: v_proj$[0-15,40]</source>
        <translation>Ein regulärer Ausdruck, irgendwo im vollen Namen der Schicht gesucht. Kanäle in Klammern dahinter: v_proj$[0-15,40]</translation>
    </message>
    <message>
        <source>Pattern of layer names</source>
        <translation>Muster von Schichtnamen</translation>
    </message>
    <message>
        <source>Pin</source>
        <translation>Festlegen</translation>
    </message>
    <message>
        <source>Pin %1</source>
        <translation>%1 festlegen</translation>
    </message>
    <message numerus="yes">
        <source>Pin %n layer(s)</source>
        <translation>
            <numerusform>%n Schicht festlegen</numerusform>
            <numerusform>%n Schichten festlegen</numerusform>
        </translation>
    </message>
    <message>
        <source>Pin to a width</source>
        <translation>Auf eine Breite festlegen</translation>
    </message>
    <message>
        <source>Pins %1 channels, %2 % of the weights. A pin holds whatever the budget, and counts towards it.</source>
        <translation>Legt %1 Kanäle fest, %2 % der Gewichte. Eine Festlegung gilt bei jedem Budget und zählt dazu.</translation>
    </message>
    <message>
        <source>What to pin</source>
        <translation>Was festgelegt wird</translation>
    </message>
    <message>
        <source>Wi&amp;dth</source>
        <translation>&amp;Breite</translation>
    </message>
    <message>
        <source>Width</source>
        <translation>Breite</translation>
    </message>
    <message>
        <source>Write a pattern.</source>
        <translation>Schreiben Sie ein Muster.</translation>
    </message>
    <message>
        <source>all %1 channels of %2</source>
        <translation>alle %1 Kanäle von %2</translation>
    </message>
    <message>
        <source>exactly %1</source>
        <translation>genau %1</translation>
    </message>
    <message>
        <source>layers that match a pattern</source>
        <translation>Schichten nach Muster</translation>
    </message>
</context>
<context>
    <name>PinsModel</name>
    <message>
        <source>%1
Pin as the command line takes it: --pin '%2'</source>
        <translation>%1
Für die Befehlszeile: --pin '%2'</translation>
    </message>
    <message>
        <source>%1, %2</source>
        <translation>%1, %2</translation>
    </message>
    <message>
        <source>%1, pinned to %2 bits, %3</source>
        <translation>%1, festgelegt auf %2 Bit, %3</translation>
    </message>
    <message>
        <source>Pin off</source>
        <translation>Festlegung aus</translation>
    </message>
    <message>
        <source>Pin on</source>
        <translation>Festlegung an</translation>
    </message>
    <message numerus="yes">
        <source>Remove %n pin(s)</source>
        <translation>
            <numerusform>%n Festlegung entfernen</numerusform>
            <numerusform>%n Festlegungen entfernen</numerusform>
        </translation>
    </message>
    <message>
        <source>cost being counted</source>
        <translation>Kosten werden gezählt</translation>
    </message>
    <message>
        <source>off; would cost %1, %2</source>
        <translation>aus; würde %1, %2 kosten</translation>
    </message>
    <message>
        <source>ppl %1</source>
        <translation>PPL %1</translation>
    </message>
    <message>
        <source>ppl unchanged to 0.001</source>
        <translation>PPL auf 0,001 gleich</translation>
    </message>
</context>
<context>
    <name>PlaceDialog</name>
    <message>
        <source>%1 free</source>
        <translation>%1 frei</translation>
    </message>
    <message>
        <source>Choose</source>
        <translation>Auswählen</translation>
    </message>
    <message>
        <source>Choose a file.</source>
        <translation>Eine Datei auswählen.</translation>
    </message>
    <message>
        <source>Choose the folder of a model.</source>
        <translation>Den Ordner eines Modells auswählen.</translation>
    </message>
    <message>
        <source>Contents of the folder</source>
        <translation>Inhalt des Ordners</translation>
    </message>
    <message>
        <source>Folder</source>
        <translation>Ordner</translation>
    </message>
    <message>
        <source>Kind</source>
        <translation>Art</translation>
    </message>
    <message>
        <source>Name</source>
        <translation>Name</translation>
    </message>
    <message>
        <source>On the engine's machine: %1</source>
        <translation>Auf dem Rechner der Engine: %1</translation>
    </message>
    <message>
        <source>Open</source>
        <translation>Öffnen</translation>
    </message>
    <message>
        <source>Reading the folder…</source>
        <translation>Der Ordner wird gelesen…</translation>
    </message>
    <message>
        <source>Texts (*.txt *.jsonl *.json *.md);;All files (*)</source>
        <translation>Texte (*.txt *.jsonl *.json *.md);;Alle Dateien (*)</translation>
    </message>
    <message>
        <source>The folder has more entries than are shown; write the path above.</source>
        <translation>Der Ordner hat mehr Einträge, als gezeigt werden; den Pfad oben eintragen.</translation>
    </message>
    <message>
        <source>To the folder above</source>
        <translation>Zum übergeordneten Ordner</translation>
    </message>
    <message>
        <source>Up</source>
        <translation>Nach oben</translation>
    </message>
    <message>
        <source>model</source>
        <translation>Modell</translation>
    </message>
    <message>
        <source>quantized model</source>
        <translation>quantisiertes Modell</translation>
    </message>
    <message>
        <source>unfinished export</source>
        <translation>unfertiger Export</translation>
    </message>
</context>
<context>
    <name>PlanPanel</name>
    <message>
        <source>%1 of %2 channels</source>
        <translation>%1 von %2 Kanälen</translation>
    </message>
    <message>
        <source>A pin holds channels at a width of your choice, whatever the budget. Select channels or layers and press P.</source>
        <translation>Eine Festlegung hält Kanäle bei jedem Budget auf einer Breite Ihrer Wahl. Wählen Sie Kanäle oder Schichten und drücken Sie P.</translation>
    </message>
    <message>
        <source>Add a pin</source>
        <translation>Festlegung hinzufügen</translation>
    </message>
    <message>
        <source>Add pin…</source>
        <translation>Festlegen…</translation>
    </message>
    <message>
        <source>Pins</source>
        <translation>Festlegungen</translation>
    </message>
    <message>
        <source>Plan</source>
        <translation>Plan</translation>
    </message>
    <message>
        <source>Remove</source>
        <translation>Entfernen</translation>
    </message>
    <message>
        <source>Size by part</source>
        <translation>Größe nach Teilen</translation>
    </message>
    <message>
        <source>Size, to the byte</source>
        <translation>Größe, aufs Byte</translation>
    </message>
    <message>
        <source>The plan appears here once the model is analyzed.</source>
        <translation>Der Plan erscheint hier, sobald das Modell analysiert ist.</translation>
    </message>
    <message>
        <source>Weights by bit width</source>
        <translation>Gewichte nach Bitbreite</translation>
    </message>
</context>
<context>
    <name>PlanReport</name>
    <message>
        <source>%1 nats per token</source>
        <translation>%1 nats je Token</translation>
    </message>
    <message>
        <source>%1 of FP16</source>
        <translation>%1 von FP16</translation>
    </message>
    <message>
        <source>%1, %2</source>
        <translation>%1, %2</translation>
    </message>
    <message>
        <source>By kind of matrix</source>
        <translation>Nach Art der Matrix</translation>
    </message>
    <message>
        <source>By kind of matrix, mean bits per weight</source>
        <translation>Nach Art der Matrix, mittlere Bits je Gewicht</translation>
    </message>
    <message>
        <source>Choose a folder that you may write to.</source>
        <translation>Wählen Sie einen Ordner, in den Sie schreiben dürfen.</translation>
    </message>
    <message>
        <source>FP16</source>
        <translation>FP16</translation>
    </message>
    <message>
        <source>FP16 %1</source>
        <translation>FP16 %1</translation>
    </message>
    <message>
        <source>FP16 perplexity</source>
        <translation>Perplexität von FP16</translation>
    </message>
    <message>
        <source>Mean KL divergence</source>
        <translation>Mittlere KL-Divergenz</translation>
    </message>
    <message>
        <source>Measured perplexity</source>
        <translation>Gemessene Perplexität</translation>
    </message>
    <message>
        <source>On</source>
        <translation>Auf</translation>
    </message>
    <message>
        <source>Pins</source>
        <translation>Festlegungen</translation>
    </message>
    <message>
        <source>Predicted perplexity</source>
        <translation>Vorhergesagte Perplexität</translation>
    </message>
    <message>
        <source>Prediction off by</source>
        <translation>Vorhersage daneben um</translation>
    </message>
    <message>
        <source>Quality</source>
        <translation>Güte</translation>
    </message>
    <message>
        <source>Same top token</source>
        <translation>Gleiches erstes Token</translation>
    </message>
    <message>
        <source>Sample answers</source>
        <translation>Beispielantworten</translation>
    </message>
    <message>
        <source>Settings</source>
        <translation>Einstellungen</translation>
    </message>
    <message>
        <source>Size, to the byte</source>
        <translation>Größe, aufs Byte</translation>
    </message>
    <message>
        <source>This plan, %1</source>
        <translation>Dieser Plan, %1</translation>
    </message>
    <message>
        <source>Weights by bit width</source>
        <translation>Gewichte nach Bitbreite</translation>
    </message>
    <message>
        <source>and %1 more</source>
        <translation>und %1 weitere</translation>
    </message>
    <message>
        <source>bits per weight</source>
        <translation>Bits je Gewicht</translation>
    </message>
    <message>
        <source>bytes</source>
        <translation>Bytes</translation>
    </message>
    <message>
        <source>not measured</source>
        <translation>nicht gemessen</translation>
    </message>
    <message>
        <source>part</source>
        <translation>Teil</translation>
    </message>
    <message>
        <source>perplexity, measured</source>
        <translation>Perplexität, gemessen</translation>
    </message>
    <message>
        <source>perplexity, predicted</source>
        <translation>Perplexität, vorhergesagt</translation>
    </message>
    <message>
        <source>same answer</source>
        <translation>gleiche Antwort</translation>
    </message>
    <message>
        <source>same for %1 tokens</source>
        <translation>gleich für %1 Token</translation>
    </message>
    <message>
        <source>scales, tables and classes included</source>
        <translation>mit Skalen, Tabellen und Klassen</translation>
    </message>
    <message>
        <source>“%1” could not be written: %2.</source>
        <translation>„%1“ konnte nicht geschrieben werden: %2.</translation>
    </message>
    <message>
        <source>“%1”: reports are written as pdf or html.</source>
        <translation>„%1“: Berichte werden als pdf oder html geschrieben.</translation>
    </message>
</context>
<context>
    <name>PlansModel</name>
    <message>
        <source>%1 %</source>
        <translation>%1 %</translation>
    </message>
    <message>
        <source>%1 ± %2</source>
        <translation>%1 ± %2</translation>
    </message>
    <message>
        <source>+%1 %</source>
        <translation>+%1 %</translation>
    </message>
    <message>
        <source>Bits</source>
        <translation>Bits</translation>
    </message>
    <message>
        <source>Expected between %1 and %2, on %3</source>
        <translation>Erwartet zwischen %1 und %2, auf %3</translation>
    </message>
    <message>
        <source>Measured on %1</source>
        <translation>Gemessen auf %1</translation>
    </message>
    <message>
        <source>Measured on %1, %2 tokens</source>
        <translation>Gemessen auf %1, %2 Token</translation>
    </message>
    <message>
        <source>Measured perplexity over the predicted one</source>
        <translation>Gemessene Perplexität über der vorhergesagten</translation>
    </message>
    <message>
        <source>Off by</source>
        <translation>Abw.</translation>
    </message>
    <message>
        <source>Plan</source>
        <translation>Plan</translation>
    </message>
    <message>
        <source>Size</source>
        <translation>Größe</translation>
    </message>
    <message>
        <source>This plan</source>
        <translation>Dieser Plan</translation>
    </message>
    <message>
        <source>○ Predicted</source>
        <translation>○ Vorhergesagt</translation>
    </message>
    <message>
        <source>● Measured</source>
        <translation>● Gemessen</translation>
    </message>
</context>
<context>
    <name>PlotView</name>
    <message>
        <source>%1 as a table</source>
        <translation>%1 als Tabelle</translation>
    </message>
    <message>
        <source>Choose a folder that you may write to.</source>
        <translation>Wählen Sie einen Ordner, in den Sie schreiben dürfen.</translation>
    </message>
    <message>
        <source>Copy image</source>
        <translation>Bild kopieren</translation>
    </message>
    <message>
        <source>Save figure or data…</source>
        <translation>Grafik oder Daten sichern…</translation>
    </message>
    <message>
        <source>Show as table</source>
        <translation>Als Tabelle zeigen</translation>
    </message>
    <message>
        <source>“%1” could not be written: %2.</source>
        <translation>„%1“ konnte nicht geschrieben werden: %2.</translation>
    </message>
    <message>
        <source>“%1”: figures are written as png, svg, pdf or csv.</source>
        <translation>„%1“: Grafiken werden als png, svg, pdf oder csv geschrieben.</translation>
    </message>
</context>
<context>
    <name>PreferencesDialog</name>
    <message>
        <source>&amp;Cache</source>
        <translation>&amp;Zwischenspeicher</translation>
    </message>
    <message>
        <source>&amp;Command</source>
        <translation>&amp;Befehl</translation>
    </message>
    <message>
        <source>&amp;Device</source>
        <translation>&amp;Gerät</translation>
    </message>
    <message>
        <source>&amp;Font size</source>
        <translation>&amp;Schriftgröße</translation>
    </message>
    <message>
        <source>&amp;Language</source>
        <translation>S&amp;prache</translation>
    </message>
    <message>
        <source>&amp;Memory limit</source>
        <translation>Speicher&amp;grenze</translation>
    </message>
    <message>
        <source>&amp;Program</source>
        <translation>&amp;Programm</translation>
    </message>
    <message>
        <source>&amp;Reduce motion</source>
        <translation>Weniger &amp;Bewegung</translation>
    </message>
    <message>
        <source>&amp;Save the session every</source>
        <translation>&amp;Sitzung sichern alle</translation>
    </message>
    <message>
        <source>&amp;Theme</source>
        <translation>&amp;Farben</translation>
    </message>
    <message>
        <source>&amp;Threads</source>
        <translation>&amp;Threads</translation>
    </message>
    <message>
        <source>&apos;%1&apos; cannot be made, or not be written to. The cache stays where it is.</source>
        <translation>„%1“ kann nicht angelegt oder nicht beschrieben werden. Der Zwischenspeicher bleibt, wo er ist.</translation>
    </message>
    <message>
        <source>&apos;%1&apos; is no program that can be started. The engine stays as it is.</source>
        <translation>„%1“ ist kein Programm, das sich starten lässt. Die Engine bleibt, wie sie ist.</translation>
    </message>
    <message>
        <source>&apos;%1&apos; is no whole path. The cache stays where it is.</source>
        <translation>„%1“ ist kein vollständiger Pfad. Der Zwischenspeicher bleibt, wo er ist.</translation>
    </message>
    <message>
        <source>A change restarts the engine once no job runs. A command says device, threads and memory itself: --threads 8 behind it.</source>
        <translation>Eine Änderung startet die Engine neu, sobald kein Auftrag läuft. Ein Befehl nennt Gerät, Threads und Speicher selbst: --threads 8 dahinter.</translation>
    </message>
    <message>
        <source>A job is running. Clear the cache when it is done.</source>
        <translation>Ein Auftrag läuft. Leeren Sie den Zwischenspeicher danach.</translation>
    </message>
    <message>
        <source>All analyses in '%1' will be deleted. Models have to be analyzed again before they can be planned.</source>
        <translation>Alle Analysen in '%1' werden gelöscht. Modelle müssen neu analysiert werden, bevor sie geplant werden können.</translation>
    </message>
    <message>
        <source>Analyses kept</source>
        <translation>Behaltene Analysen</translation>
    </message>
    <message>
        <source>Appearance</source>
        <translation>Aussehen</translation>
    </message>
    <message>
        <source>CPU</source>
        <translation>CPU</translation>
    </message>
    <message>
        <source>CUDA</source>
        <translation>CUDA</translation>
    </message>
    <message>
        <source>Cache folder</source>
        <translation>Ordner des Zwischenspeichers</translation>
    </message>
    <message>
        <source>Changes take effect at once. Nothing is sent over the network.</source>
        <translation>Änderungen gelten sofort. Nichts wird über das Netz gesendet.</translation>
    </message>
    <message>
        <source>Choose a page</source>
        <translation>Seite wählen</translation>
    </message>
    <message>
        <source>Choose the cache folder</source>
        <translation>Ordner des Zwischenspeichers wählen</translation>
    </message>
    <message>
        <source>Choose the program of the engine</source>
        <translation>Das Programm der Engine wählen</translation>
    </message>
    <message>
        <source>Choose…</source>
        <translation>Wählen…</translation>
    </message>
    <message>
        <source>Clear the cache</source>
        <translation>Zwischenspeicher leeren</translation>
    </message>
    <message>
        <source>Clear…</source>
        <translation>Leeren…</translation>
    </message>
    <message>
        <source>Command that starts the engine</source>
        <translation>Befehl, der die Engine startet</translation>
    </message>
    <message>
        <source>Device</source>
        <translation>Gerät</translation>
    </message>
    <message>
        <source>Engine</source>
        <translation>Rechenkern</translation>
    </message>
    <message>
        <source>Files</source>
        <translation>Dateien</translation>
    </message>
    <message>
        <source>Font size</source>
        <translation>Schriftgröße</translation>
    </message>
    <message>
        <source>Language</source>
        <translation>Sprache</translation>
    </message>
    <message>
        <source>Memory limit</source>
        <translation>Speichergrenze</translation>
    </message>
    <message>
        <source>Models, texts and exports are then those of the machine that the command reaches. It must end in what runs 'bitloom serve' there, and pass standard input and output through. While it is quiet it is asked for a sign of life every 5 s; 10 s without an answer are reported.</source>
        <translation>Modelle, Texte und Exporte sind dann die des Rechners, den der Befehl erreicht. Er muss dort 'bitloom serve' ausführen und Standardeingabe und -ausgabe durchreichen. Solange sie still ist, wird sie alle 5 s nach einem Lebenszeichen gefragt; 10 s ohne Antwort werden gemeldet.</translation>
    </message>
    <message>
        <source>Not everything in &apos;%1&apos; could be deleted. Look at its permissions.</source>
        <translation>In „%1“ konnte nicht alles gelöscht werden. Sehen Sie die Berechtigungen nach.</translation>
    </message>
    <message>
        <source>Pages of the preferences</source>
        <translation>Seiten der Einstellungen</translation>
    </message>
    <message>
        <source>Preferences</source>
        <translation>Einstellungen</translation>
    </message>
    <message>
        <source>Program of the engine</source>
        <translation>Programm der Engine</translation>
    </message>
    <message>
        <source>Reduce motion</source>
        <translation>Weniger Bewegung</translation>
    </message>
    <message>
        <source>Save the session every</source>
        <translation>Sitzung sichern alle</translation>
    </message>
    <message>
        <source>The program bitloom that computes. Empty: the one beside this application, else the one that PATH finds.</source>
        <translation>Das Programm bitloom, das rechnet. Leer: das neben dieser Anwendung, sonst das, das PATH findet.</translation>
    </message>
    <message>
        <source>Theme</source>
        <translation>Farben</translation>
    </message>
    <message>
        <source>Threads</source>
        <translation>Threads</translation>
    </message>
    <message>
        <source>Windows that are open change at the next start.</source>
        <translation>Offene Fenster ändern sich beim nächsten Start.</translation>
    </message>
    <message>
        <source>as the system</source>
        <translation>wie das System</translation>
    </message>
    <message>
        <source>automatic</source>
        <translation>automatisch</translation>
    </message>
    <message>
        <source>automatic (%1)</source>
        <translation>automatisch (%1)</translation>
    </message>
    <message>
        <source>automatic; or such as 12 GiB</source>
        <translation>automatisch; oder etwa 12 GiB</translation>
    </message>
    <message>
        <source>dark</source>
        <translation>dunkel</translation>
    </message>
    <message>
        <source>light</source>
        <translation>hell</translation>
    </message>
    <message>
        <source>on change only</source>
        <translation>nur bei Änderung</translation>
    </message>
    <message>
        <source>the engine of this machine; or such as: ssh box bitloom serve</source>
        <translation>die Engine dieses Rechners; oder etwa: ssh box bitloom serve</translation>
    </message>
</context>
<context>
    <name>Preset</name>
    <message>
        <source>Balanced</source>
        <translation>Ausgewogen</translation>
    </message>
    <message>
        <source>Careful</source>
        <translation>Behutsam</translation>
    </message>
    <message>
        <source>Small</source>
        <translation>Klein</translation>
    </message>
    <message>
        <source>Uniform 4</source>
        <translation>Gleichmäßig 4</translation>
    </message>
</context>
<context>
    <name>PromptIdeas</name>
    <message>
        <source>Begin with</source>
        <translation>Beginnen mit</translation>
    </message>
    <message>
        <source>Prompt: %1</source>
        <translation>Prompt: %1</translation>
    </message>
</context>
<context>
    <name>RemoteCopy</name>
    <message>
        <source>Cancelled.</source>
        <translation>Abgebrochen.</translation>
    </message>
    <message>
        <source>Check the free space and the permissions of that folder.</source>
        <translation>Prüfen Sie freien Platz und Rechte dieses Ordners.</translation>
    </message>
    <message>
        <source>Open it again.</source>
        <translation>Öffnen Sie es noch einmal.</translation>
    </message>
    <message>
        <source>The engine's file ends too early.</source>
        <translation>Die Datei des Rechenkerns endet zu früh.</translation>
    </message>
    <message>
        <source>The engine's list of the model's files makes no sense.</source>
        <translation>Die Dateiliste des Rechenkerns ergibt keinen Sinn.</translation>
    </message>
    <message>
        <source>The model changed while it was read.</source>
        <translation>Das Modell änderte sich beim Lesen.</translation>
    </message>
    <message>
        <source>“%1” cannot be written.</source>
        <translation>„%1“ kann nicht geschrieben werden.</translation>
    </message>
    <message>
        <source>“%1” cannot be written: %2</source>
        <translation>„%1“ kann nicht geschrieben werden: %2</translation>
    </message>
</context>
<context>
    <name>RemoteOpening</name>
    <message>
        <source>'%1' is a quantized model already.</source>
        <translation>'%1' ist bereits ein quantisiertes Modell.</translation>
    </message>
    <message>
        <source>Open the model that it was made from; the chat and the comparison take quantized ones.</source>
        <translation>Das Modell öffnen, aus dem es gemacht wurde; Chat und Vergleich nehmen quantisierte.</translation>
    </message>
</context>
<context>
    <name>ReportSource</name>
    <message>
        <source>%1, %2 tokens</source>
        <translation>%1, %2 Token</translation>
    </message>
    <message>
        <source>%1: %2 bits</source>
        <translation>%1: %2 Bit</translation>
    </message>
    <message>
        <source>8 bits a row</source>
        <translation>8 Bit je Zeile</translation>
    </message>
    <message>
        <source>Block linears</source>
        <translation>Lineare Schichten</translation>
    </message>
    <message>
        <source>Budget</source>
        <translation>Budget</translation>
    </message>
    <message>
        <source>CMPQ+, %1 passes of coordinate descent</source>
        <translation>CMPQ+, %1 Durchgänge Koordinatenabstieg</translation>
    </message>
    <message>
        <source>CMPQ+, %1 passes of coordinate descent, %2 polish steps</source>
        <translation>CMPQ+, %1 Durchgänge Koordinatenabstieg, %2 Polierschritte</translation>
    </message>
    <message>
        <source>Calibrated on</source>
        <translation>Kalibriert an</translation>
    </message>
    <message>
        <source>Classes of the columns</source>
        <translation>Klassen der Spalten</translation>
    </message>
    <message>
        <source>Codes</source>
        <translation>Codes</translation>
    </message>
    <message>
        <source>Embedding and head</source>
        <translation>Embedding und Kopf</translation>
    </message>
    <message>
        <source>Method</source>
        <translation>Verfahren</translation>
    </message>
    <message>
        <source>Model fingerprint</source>
        <translation>Fingerabdruck des Modells</translation>
    </message>
    <message>
        <source>Norms and others</source>
        <translation>Normen und andere</translation>
    </message>
    <message>
        <source>Outliers</source>
        <translation>Ausreißer</translation>
    </message>
    <message>
        <source>Raw columns</source>
        <translation>Rohe Spalten</translation>
    </message>
    <message>
        <source>Report</source>
        <translation>Bericht</translation>
    </message>
    <message>
        <source>Report saved to %1</source>
        <translation>Bericht gespeichert in %1</translation>
    </message>
    <message>
        <source>Save a report of the plan</source>
        <translation>Bericht des Plans speichern</translation>
    </message>
    <message>
        <source>Scales</source>
        <translation>Skalen</translation>
    </message>
    <message>
        <source>Tables</source>
        <translation>Tabellen</translation>
    </message>
    <message>
        <source>Tokenizer, configuration, headers</source>
        <translation>Tokenizer, Konfiguration, Köpfe</translation>
    </message>
    <message>
        <source>Total</source>
        <translation>Summe</translation>
    </message>
    <message>
        <source>Web page (*.html);;PDF (*.pdf)</source>
        <translation>Webseite (*.html);;PDF (*.pdf)</translation>
    </message>
    <message>
        <source>as stored</source>
        <translation>wie gespeichert</translation>
    </message>
</context>
<context>
    <name>SamplingPanel</name>
    <message>
        <source>&amp;Continue the conversation</source>
        <translation>Gespräch &amp;fortsetzen</translation>
    </message>
    <message>
        <source>&amp;Min-p</source>
        <translation>&amp;Min-p</translation>
    </message>
    <message>
        <source>&amp;Repetition penalty</source>
        <translation>&amp;Wiederholungsstrafe</translation>
    </message>
    <message>
        <source>&amp;Temperature</source>
        <translation>&amp;Temperatur</translation>
    </message>
    <message>
        <source>0 always takes the likeliest token (greedy).</source>
        <translation>0 nimmt immer das wahrscheinlichste Token (greedy).</translation>
    </message>
    <message>
        <source>A prompt follows the answers before it, on a line of its own. Otherwise every prompt stands alone.</source>
        <translation>Ein Prompt folgt auf die Antworten davor, in einer eigenen Zeile. Sonst steht jeder Prompt für sich.</translation>
    </message>
    <message>
        <source>Both sides draw with the same random numbers.</source>
        <translation>Beide Seiten ziehen mit denselben Zufallszahlen.</translation>
    </message>
    <message>
        <source>Both sides draw with the same seed; small differences of probability can still turn into other words.</source>
        <translation>Beide Seiten ziehen mit demselben Startwert; kleine Unterschiede der Wahrscheinlichkeit können doch andere Wörter ergeben.</translation>
    </message>
    <message>
        <source>Draws from so many of the likeliest tokens.</source>
        <translation>Zieht aus so vielen der wahrscheinlichsten Token.</translation>
    </message>
    <message>
        <source>Draws from the likeliest tokens that together have this probability.</source>
        <translation>Zieht aus den wahrscheinlichsten Token, die zusammen diese Wahrscheinlichkeit haben.</translation>
    </message>
    <message>
        <source>Leaves out tokens that are less likely than this share of the likeliest.</source>
        <translation>Lässt Token weg, die weniger wahrscheinlich sind als dieser Anteil des wahrscheinlichsten.</translation>
    </message>
    <message>
        <source>Makes tokens that were there less likely; 1 changes nothing.</source>
        <translation>Macht Token, die schon da waren, weniger wahrscheinlich; 1 ändert nichts.</translation>
    </message>
    <message>
        <source>Min-p</source>
        <translation>Min-p</translation>
    </message>
    <message>
        <source>Most &amp;new tokens</source>
        <translation>&amp;Neue Token höchstens</translation>
    </message>
    <message>
        <source>Most new tokens</source>
        <translation>Neue Token höchstens</translation>
    </message>
    <message>
        <source>One after the other needs the memory of one model only.</source>
        <translation>Nacheinander braucht nur den Speicher eines Modells.</translation>
    </message>
    <message>
        <source>Order of the answers</source>
        <translation>Reihenfolge der Antworten</translation>
    </message>
    <message>
        <source>R&amp;un</source>
        <translation>Ab&amp;lauf</translation>
    </message>
    <message>
        <source>Repetition penalty</source>
        <translation>Wiederholungsstrafe</translation>
    </message>
    <message>
        <source>S&amp;eed</source>
        <translation>S&amp;tartwert</translation>
    </message>
    <message>
        <source>Score the &amp;left text by both</source>
        <translation>&amp;Linken Text von beiden bewerten</translation>
    </message>
    <message>
        <source>Seed</source>
        <translation>Startwert</translation>
    </message>
    <message>
        <source>Teacher forcing: both models read the left answer, and every token is judged by what each predicted from the tokens before it. KL is the divergence of the right model's distribution from the left one's, in nats.</source>
        <translation>Teacher Forcing: Beide Modelle lesen die linke Antwort, und jedes Token wird daran gemessen, was jedes aus den Token davor vorhersagte. KL ist die Divergenz der Verteilung des rechten Modells von der des linken, in nat.</translation>
    </message>
    <message>
        <source>Temperature</source>
        <translation>Temperatur</translation>
    </message>
    <message>
        <source>Temperature 0 is greedy: every difference comes from quantization, not from chance.</source>
        <translation>Temperatur 0 ist greedy: Jeder Unterschied kommt von der Quantisierung, nicht vom Zufall.</translation>
    </message>
    <message>
        <source>The answer ends here at the latest.</source>
        <translation>Spätestens hier endet die Antwort.</translation>
    </message>
    <message>
        <source>Top-&amp;k</source>
        <translation>Top-&amp;k</translation>
    </message>
    <message>
        <source>Top-&amp;p</source>
        <translation>Top-&amp;p</translation>
    </message>
    <message>
        <source>Top-k</source>
        <translation>Top-k</translation>
    </message>
    <message>
        <source>Top-p</source>
        <translation>Top-p</translation>
    </message>
    <message>
        <source>both at once</source>
        <translation>beide zugleich</translation>
    </message>
    <message>
        <source>off</source>
        <translation>aus</translation>
    </message>
    <message>
        <source>one after the other</source>
        <translation>nacheinander</translation>
    </message>
</context>
<context>
    <name>Session</name>
    <message>
        <source>'%1' is too large for a session.</source>
        <translation>'%1' ist für eine Sitzung zu groß.</translation>
    </message>
    <message>
        <source>Choose another place.</source>
        <translation>Wählen Sie einen anderen Ort.</translation>
    </message>
    <message>
        <source>The session '%1' could not be read: %2.</source>
        <translation>Die Sitzung '%1' konnte nicht gelesen werden: %2.</translation>
    </message>
    <message>
        <source>The session could not be saved to '%1': %2.</source>
        <translation>Die Sitzung konnte nicht in '%1' gesichert werden: %2.</translation>
    </message>
</context>
<context>
    <name>SizesModel</name>
    <message>
        <source>All files of the folder</source>
        <translation>Alle Dateien des Ordners</translation>
    </message>
    <message>
        <source>All of the above: what bits per weight counts</source>
        <translation>Alles darüber: was Bits je Gewicht zählt</translation>
    </message>
    <message>
        <source>Bits that fill up the last byte of codes</source>
        <translation>Bits, die das letzte Byte der Codes füllen</translation>
    </message>
    <message>
        <source>Block linears</source>
        <translation>Lineare Schichten</translation>
    </message>
    <message>
        <source>Channels stored as they are</source>
        <translation>Kanäle, die bleiben, wie sie sind</translation>
    </message>
    <message>
        <source>Classes</source>
        <translation>Klassen</translation>
    </message>
    <message>
        <source>Codes</source>
        <translation>Codes</translation>
    </message>
    <message>
        <source>Embedding, head</source>
        <translation>Embedding, Kopf</translation>
    </message>
    <message>
        <source>FP16</source>
        <translation>FP16</translation>
    </message>
    <message>
        <source>Headers, recipe, manifest and copied files</source>
        <translation>Kopfdaten, Rezept, Manifest und kopierte Dateien</translation>
    </message>
    <message>
        <source>Norms, biases</source>
        <translation>Normen, Bias</translation>
    </message>
    <message>
        <source>One scale a channel, and zero points of grids</source>
        <translation>Eine Skala je Kanal, Nullpunkte der Gitter</translation>
    </message>
    <message>
        <source>Outliers</source>
        <translation>Ausreißer</translation>
    </message>
    <message>
        <source>Padding</source>
        <translation>Füllbits</translation>
    </message>
    <message>
        <source>Raw columns</source>
        <translation>Rohe Spalten</translation>
    </message>
    <message>
        <source>Scales, zeros</source>
        <translation>Skalen, Nullp.</translation>
    </message>
    <message>
        <source>Single weights stored exactly</source>
        <translation>Einzelne, genau gespeicherte Gewichte</translation>
    </message>
    <message>
        <source>Tables</source>
        <translation>Tabellen</translation>
    </message>
    <message>
        <source>The model's own weight files</source>
        <translation>Die eigenen Gewichtsdateien des Modells</translation>
    </message>
    <message>
        <source>The packed codes of all channels</source>
        <translation>Die gepackten Codes aller Kanäle</translation>
    </message>
    <message>
        <source>Tokenizer, config</source>
        <translation>Tokenizer, Konfig.</translation>
    </message>
    <message>
        <source>Total</source>
        <translation>Summe</translation>
    </message>
    <message>
        <source>Values that table codes stand for</source>
        <translation>Werte, für die Tabellencodes stehen</translation>
    </message>
    <message>
        <source>Which channel is stored how</source>
        <translation>Welcher Kanal wie gespeichert ist</translation>
    </message>
    <message>
        <source>bits/w</source>
        <translation>Bit/G</translation>
    </message>
    <message>
        <source>bytes</source>
        <translation>Bytes</translation>
    </message>
    <message>
        <source>part</source>
        <translation>Teil</translation>
    </message>
</context>
<context>
    <name>StatusLine</name>
    <message numerus="yes">
        <source>%1, %n thread(s)</source>
        <translation>
            <numerusform>%1, %n Thread</numerusform>
            <numerusform>%1, %n Threads</numerusform>
        </translation>
    </message>
    <message>
        <source>%1: headers read, not analyzed yet</source>
        <translation>%1: Kopfdaten gelesen, noch nicht analysiert</translation>
    </message>
    <message>
        <source>%1: partly analyzed</source>
        <translation>%1: teilweise analysiert</translation>
    </message>
    <message>
        <source>Analyzed on %1</source>
        <translation>Analysiert auf %1</translation>
    </message>
    <message>
        <source>CPU</source>
        <translation>CPU</translation>
    </message>
    <message>
        <source>CUDA</source>
        <translation>CUDA</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>Abbrechen</translation>
    </message>
    <message>
        <source>Cancel the running job</source>
        <translation>Den laufenden Auftrag abbrechen</translation>
    </message>
    <message numerus="yes">
        <source>Log: %n warning(s)</source>
        <translation>
            <numerusform>Protokoll: %n Warnung</numerusform>
            <numerusform>Protokoll: %n Warnungen</numerusform>
        </translation>
    </message>
    <message>
        <source>No model open. Nothing is sent over the network.</source>
        <translation>Kein Modell geöffnet. Nichts wird über das Netz gesendet.</translation>
    </message>
    <message>
        <source>Opening…</source>
        <translation>Wird geöffnet…</translation>
    </message>
    <message>
        <source>Progress of the running job</source>
        <translation>Fortschritt des laufenden Auftrags</translation>
    </message>
    <message>
        <source>Restart engine</source>
        <translation>Engine neu starten</translation>
    </message>
    <message>
        <source>Restart the engine now</source>
        <translation>Die Engine jetzt neu starten</translation>
    </message>
    <message>
        <source>Saved %1</source>
        <translation>Gesichert %1</translation>
    </message>
    <message>
        <source>Show the log</source>
        <translation>Protokoll zeigen</translation>
    </message>
    <message>
        <source>The engine runs: %1</source>
        <translation>Der Rechenkern läuft: %1</translation>
    </message>
    <message>
        <source>engine not running</source>
        <translation>Rechenkern läuft nicht</translation>
    </message>
    <message>
        <source>engine starting</source>
        <translation>Rechenkern startet</translation>
    </message>
    <message>
        <source>engine stopped</source>
        <translation>Rechenkern angehalten</translation>
    </message>
    <message>
        <source>no answer for %1 s</source>
        <translation>seit %1 s keine Antwort</translation>
    </message>
</context>
<context>
    <name>StepList</name>
    <message>
        <source>%1: %2</source>
        <translation>%1: %2</translation>
    </message>
    <message>
        <source>Steps of the export</source>
        <translation>Schritte des Exports</translation>
    </message>
    <message>
        <source>done</source>
        <translation>fertig</translation>
    </message>
    <message>
        <source>running</source>
        <translation>läuft</translation>
    </message>
    <message>
        <source>stopped</source>
        <translation>angehalten</translation>
    </message>
    <message>
        <source>to come</source>
        <translation>kommt noch</translation>
    </message>
</context>
<context>
    <name>StudioRooms</name>
    <message>
        <source>Measure spee&amp;d of this machine</source>
        <translation>&amp;Tempo dieses Rechners messen</translation>
    </message>
    <message>
        <source>&amp;Report…</source>
        <translation>&amp;Bericht…</translation>
    </message>
    <message>
        <source>&amp;Try this plan in chat</source>
        <translation>Diesen Plan im Chat &amp;ausprobieren</translation>
    </message>
    <message>
        <source>Chat</source>
        <translation>Chat</translation>
    </message>
    <message>
        <source>Compare</source>
        <translation>Vergleichen</translation>
    </message>
    <message>
        <source>Export</source>
        <translation>Exportieren</translation>
    </message>
    <message>
        <source>Exported to %1</source>
        <translation>Exportiert nach %1</translation>
    </message>
    <message>
        <source>Measure &amp;with…</source>
        <translation>Messen &amp;mit…</translation>
    </message>
    <message>
        <source>Pins are being applied. Export when they are.</source>
        <translation>Pins werden gerade angewandt. Exportieren Sie danach.</translation>
    </message>
    <message>
        <source>Sampling</source>
        <translation>Sampling</translation>
    </message>
    <message>
        <source>Token</source>
        <translation>Token</translation>
    </message>
</context>
<context>
    <name>Subject</name>
    <message>
        <source>%1 bits</source>
        <translation>%1 Bit</translation>
    </message>
    <message>
        <source>%1 tokens</source>
        <translation>%1 Token</translation>
    </message>
    <message>
        <source>1 token</source>
        <translation>1 Token</translation>
    </message>
    <message>
        <source>Pins are being applied. Try again when they are.</source>
        <translation>Pins werden gerade angewandt. Versuchen Sie es danach noch einmal.</translation>
    </message>
    <message>
        <source>There is no plan yet: analyze the model first.</source>
        <translation>Es gibt noch keinen Plan: Analysieren Sie zuerst das Modell.</translation>
    </message>
    <message>
        <source>There is no preset "%1" any more.</source>
        <translation>Die Voreinstellung „%1“ gibt es nicht mehr.</translation>
    </message>
    <message>
        <source>This plan</source>
        <translation>Dieser Plan</translation>
    </message>
    <message>
        <source>as stored</source>
        <translation>wie gespeichert</translation>
    </message>
    <message>
        <source>folder</source>
        <translation>Ordner</translation>
    </message>
    <message>
        <source>preset</source>
        <translation>Voreinstellung</translation>
    </message>
    <message>
        <source>preset, %1</source>
        <translation>Voreinstellung, %1</translation>
    </message>
    <message>
        <source>this plan</source>
        <translation>dieser Plan</translation>
    </message>
</context>
<context>
    <name>Texts</name>
    <message>
        <source>at least %1 tokens/s</source>
        <translation>mindestens %1 Token/s</translation>
    </message>
    <message>
        <source>%1 bits</source>
        <translation>%1 Bit</translation>
    </message>
    <message>
        <source>%1 bits, grid</source>
        <translation>%1 Bit, Gitter</translation>
    </message>
    <message>
        <source>%1 bits, table</source>
        <translation>%1 Bit, Tabelle</translation>
    </message>
    <message>
        <source>%1 h %2 min</source>
        <translation>%1 h %2 min</translation>
    </message>
    <message>
        <source>%1 min</source>
        <translation>%1 min</translation>
    </message>
    <message>
        <source>%1 s</source>
        <translation>%1 s</translation>
    </message>
    <message>
        <source>%1, all channels</source>
        <translation>%1, alle Kanäle</translation>
    </message>
    <message>
        <source>%1, channel %2</source>
        <translation>%1, Kanal %2</translation>
    </message>
    <message>
        <source>%1, channels %2</source>
        <translation>%1, Kanäle %2</translation>
    </message>
    <message>
        <source>%1, edited</source>
        <translation>%1, geändert</translation>
    </message>
    <message>
        <source>, %1 % outliers</source>
        <translation>, %1 % Ausreißer</translation>
    </message>
    <message>
        <source>The model is on another machine than the engine. Open it there, or choose its engine in the preferences.</source>
        <translation>Das Modell liegt auf einem anderen Rechner als die Engine. Es dort öffnen oder seine Engine in den Einstellungen wählen.</translation>
    </message>
    <message>
        <source>as stored (16 bits)</source>
        <translation>wie gespeichert (16 Bit)</translation>
    </message>
    <message>
        <source>at most %1</source>
        <translation>höchstens %1</translation>
    </message>
    <message>
        <source>ppl at most +%1 %</source>
        <translation>PPL höchstens +%1 %</translation>
    </message>
    <message>
        <source>uniform %1 bits</source>
        <translation>gleichmäßig %1 Bit</translation>
    </message>
</context>
<context>
    <name>TokenChoicesModel</name>
    <message>
        <source>%1 against %2</source>
        <translation>%1 gegen %2</translation>
    </message>
    <message>
        <source>other</source>
        <translation>andere</translation>
    </message>
    <message>
        <source>probability</source>
        <translation>Wahrscheinlichkeit</translation>
    </message>
    <message>
        <source>token</source>
        <translation>Token</translation>
    </message>
</context>
<context>
    <name>TokenPanel</name>
    <message>
        <source>%1 in all</source>
        <translation>%1 insgesamt</translation>
    </message>
    <message>
        <source>%1 of %2</source>
        <translation>%1 von %2</translation>
    </message>
    <message>
        <source>Ctrl+Right in the text</source>
        <translation>Strg+Rechts im Text</translation>
    </message>
    <message>
        <source>Likeliest tokens at the cursor</source>
        <translation>Wahrscheinlichste Token am Cursor</translation>
    </message>
    <message>
        <source>Next difference</source>
        <translation>Nächster Unterschied</translation>
    </message>
    <message>
        <source>No token chosen</source>
        <translation>Kein Token gewählt</translation>
    </message>
    <message>
        <source>Point at a word of an answer, or go through it with the arrow keys.</source>
        <translation>Zeigen Sie auf ein Wort einer Antwort, oder gehen Sie mit den Pfeiltasten hindurch.</translation>
    </message>
    <message>
        <source>Previous</source>
        <translation>Voriger</translation>
    </message>
    <message>
        <source>Previous difference</source>
        <translation>Voriger Unterschied</translation>
    </message>
    <message>
        <source>To the token before at which the models prefer another one (Ctrl+Left in the text)</source>
        <translation>Zum Token davor, bei dem die Modelle ein anderes vorziehen (Strg+Links im Text)</translation>
    </message>
</context>
<context>
    <name>UnderlineLegend</name>
    <message>
        <source>Underline: KL in nats</source>
        <translation>Unterstrichen: KL in nat</translation>
    </message>
    <message>
        <source>from %1</source>
        <translation>ab %1</translation>
    </message>
</context>
<context>
    <name>WelcomePage</name>
    <message>
        <source>%1, %2 % of FP16</source>
        <translation>%1, %2 % von FP16</translation>
    </message>
    <message>
        <source>%1, %2 parameters, %3, already analyzed</source>
        <translation>%1, %2 Parameter, %3, schon analysiert</translation>
    </message>
    <message>
        <source>1. Open</source>
        <translation>1. Öffnen</translation>
    </message>
    <message>
        <source>2. Analyze</source>
        <translation>2. Analysieren</translation>
    </message>
    <message>
        <source>3. Drag the budget</source>
        <translation>3. Am Budget ziehen</translation>
    </message>
    <message>
        <source>A Hugging Face folder with config.json and safetensors. It is only read, never copied or changed.</source>
        <translation>Ein Hugging-Face-Ordner mit config.json und safetensors. Er wird nur gelesen, nie kopiert oder verändert.</translation>
    </message>
    <message>
        <source>B&amp;udget</source>
        <translation>B&amp;udget</translation>
    </message>
    <message>
        <source>Bits, exact bytes and perplexity follow the handle. Then measure or export.</source>
        <translation>Bits, genaue Bytes und Perplexität folgen dem Griff. Dann messen oder exportieren.</translation>
    </message>
    <message>
        <source>Budget of the sample</source>
        <translation>Budget des Beispiels</translation>
    </message>
    <message>
        <source>Channels of the sample</source>
        <translation>Kanäle des Beispiels</translation>
    </message>
    <message>
        <source>Headers are read in under a second. Size and memory are known before anything runs.</source>
        <translation>Kopfdaten sind in weniger als einer Sekunde gelesen. Größe und Speicher sind bekannt, bevor etwas läuft.</translation>
    </message>
    <message>
        <source>Measures once how much every channel matters. Stop and resume at any time.</source>
        <translation>Misst einmal, wie viel jeder Kanal ausmacht. Jederzeit anhalten und fortsetzen.</translation>
    </message>
    <message>
        <source>Models that you open are listed here, and those of the Hugging Face cache are found by themselves. Nothing is downloaded: get a model first, for example with huggingface-cli download, or try the sample.</source>
        <translation>Geöffnete Modelle werden hier aufgeführt, und die aus dem Hugging-Face-Cache werden von selbst gefunden. Nichts wird heruntergeladen: erst ein Modell beschaffen, etwa mit huggingface-cli download, oder das Beispiel ausprobieren.</translation>
    </message>
    <message>
        <source>On this computer</source>
        <translation>Auf diesem Rechner</translation>
    </message>
    <message>
        <source>Open</source>
        <translation>Öffnen</translation>
    </message>
    <message>
        <source>Open a model</source>
        <translation>Ein Modell öffnen</translation>
    </message>
    <message>
        <source>Open a model folder</source>
        <translation>Modellordner öffnen</translation>
    </message>
    <message>
        <source>Open folder…</source>
        <translation>Ordner öffnen…</translation>
    </message>
    <message>
        <source>Open the sample model</source>
        <translation>Beispielmodell öffnen</translation>
    </message>
    <message>
        <source>Opening the sample…</source>
        <translation>Das Beispiel wird geöffnet…</translation>
    </message>
    <message>
        <source>Or drop a model folder, or any file in it, anywhere on this window</source>
        <translation>Oder legen Sie einen Modellordner oder eine Datei daraus irgendwo auf diesem Fenster ab</translation>
    </message>
    <message>
        <source>Recent models</source>
        <translation>Zuletzt geöffnet</translation>
    </message>
    <message>
        <source>Remove</source>
        <translation>Entfernen</translation>
    </message>
    <message>
        <source>The model could not be opened</source>
        <translation>Das Modell konnte nicht geöffnet werden</translation>
    </message>
    <message>
        <source>The sample could not be opened</source>
        <translation>Das Beispiel konnte nicht geöffnet werden</translation>
    </message>
    <message>
        <source>The sample is ready</source>
        <translation>Das Beispiel ist bereit</translation>
    </message>
    <message>
        <source>Try the sample</source>
        <translation>Beispiel ausprobieren</translation>
    </message>
    <message>
        <source>bits</source>
        <translation>Bit</translation>
    </message>
    <message>
        <source>found in the Hugging Face cache, headers read only</source>
        <translation>im Hugging-Face-Cache gefunden, nur die Köpfe gelesen</translation>
    </message>
    <message>
        <source>missing: %1</source>
        <translation>fehlt: %1</translation>
    </message>
</context>
<context>
    <name>WhyDialog</name>
    <message>
        <source>&amp;Channel of %1</source>
        <translation>&amp;Kanal von %1</translation>
    </message>
    <message>
        <source>Channel</source>
        <translation>Kanal</translation>
    </message>
    <message>
        <source>Every channel starts with the fewest bits. The budget is then spent where a bit gains most: step by step over all channels of the model, until it is used up. The gain per bit of the last step taken is the threshold λ. A channel has the bits that it has because its next step would gain less than λ.</source>
        <translation>Jeder Kanal beginnt mit den wenigsten Bits. Dann geht das Budget dorthin, wo ein Bit am meisten bringt: Schritt für Schritt über alle Kanäle des Modells, bis es verbraucht ist. Der Gewinn je Bit des letzten Schritts ist die Schwelle λ. Ein Kanal hat die Bits, die er hat, weil sein nächster Schritt weniger als λ brächte.</translation>
    </message>
    <message>
        <source>It is pinned; free, it would take %1.</source>
        <translation>Er ist festgelegt; frei nähme er %1.</translation>
    </message>
    <message>
        <source>Steps of the channel</source>
        <translation>Schritte des Kanals</translation>
    </message>
    <message>
        <source>Why these bits?</source>
        <translation>Warum diese Bits?</translation>
    </message>
    <message>
        <source>against λ</source>
        <translation>gegen λ</translation>
    </message>
    <message>
        <source>gain per bit</source>
        <translation>Gewinn je Bit</translation>
    </message>
    <message>
        <source>not worth it</source>
        <translation>lohnt nicht</translation>
    </message>
    <message>
        <source>step to</source>
        <translation>Schritt auf</translation>
    </message>
    <message>
        <source>taken</source>
        <translation>getan</translation>
    </message>
    <message>
        <source>λ = %1 nats per bit. The channel is stored with %2; its error costs %3 nats per token.</source>
        <translation>λ = %1 nats je Bit. Der Kanal ist mit %2 gespeichert; sein Fehler kostet %3 nats je Token.</translation>
    </message>
</context>
<context>
    <name>Workbench</name>
    <message>
        <source>"%1" cannot be the name of a preset of your own.</source>
        <translation>„%1“ kann keine eigene Vorgabe heißen.</translation>
    </message>
    <message>
        <source>Budget</source>
        <translation>Budget</translation>
    </message>
    <message>
        <source>Choose another name.</source>
        <translation>Wählen Sie einen anderen Namen.</translation>
    </message>
    <message>
        <source>Delete preset %1</source>
        <translation>Vorgabe %1 löschen</translation>
    </message>
    <message>
        <source>Opening stopped. %1 stays open.</source>
        <translation>Öffnen abgebrochen. %1 bleibt offen.</translation>
    </message>
    <message>
        <source>Pin %1</source>
        <translation>%1 festlegen</translation>
    </message>
    <message>
        <source>Pins need an analyzed model.</source>
        <translation>Festlegungen brauchen ein analysiertes Modell.</translation>
    </message>
    <message>
        <source>Preset %1</source>
        <translation>Vorgabe %1</translation>
    </message>
    <message>
        <source>Preset %1 does not fit this model: %2</source>
        <translation>Die Vorgabe %1 passt nicht zu diesem Modell: %2</translation>
    </message>
    <message>
        <source>Rename preset %1</source>
        <translation>Vorgabe %1 umbenennen</translation>
    </message>
    <message>
        <source>Save preset %1</source>
        <translation>Vorgabe %1 sichern</translation>
    </message>
    <message>
        <source>There is a preset "%1" already.</source>
        <translation>Es gibt schon eine Vorgabe „%1“.</translation>
    </message>
    <message>
        <source>There is no plan yet: analyze the model first.</source>
        <translation>Es gibt noch keinen Plan: Analysieren Sie zuerst das Modell.</translation>
    </message>
    <message>
        <source>This is another model than the one of the session: its measurements were left out.</source>
        <translation>Das ist ein anderes Modell als das der Sitzung: deren Messungen wurden weggelassen.</translation>
    </message>
    <message>
        <source>Unpin %1</source>
        <translation>%1 lösen</translation>
    </message>
</context>
<context>
    <name>main</name>
    <message>
        <source>Discard</source>
        <translation>Verwerfen</translation>
    </message>
    <message>
        <source>It was saved by itself on %1.</source>
        <translation>Sie wurde von selbst gesichert: %1.</translation>
    </message>
    <message>
        <source>Restore</source>
        <translation>Wiederherstellen</translation>
    </message>
    <message>
        <source>The last session did not end properly.</source>
        <translation>Die letzte Sitzung wurde nicht ordentlich beendet.</translation>
    </message>
</context>
</TS>
