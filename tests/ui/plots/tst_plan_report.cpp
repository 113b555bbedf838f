// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/base/error.h"
#include "tests/ui/plots/pdf_testing.h"
#include "tests/ui/plots/report_sample.h"

#include <QFile>
#include <QFileInfo>
#include <QRegularExpression>
#include <QTemporaryDir>
#include <QTest>

using namespace bitloom::ui;

class TestPlanReport : public QObject {
    Q_OBJECT
private slots:
    void htmlSaysEverything() {
        const PlanReport report = samples::report();
        const QString html = planReportHtml(report, QLocale::c());
        for (const auto& part : report.parts)
            QVERIFY(html.contains(
                QStringLiteral("<td>%1</td><td>%2</td>").arg(part.name).arg(part.bytes)));
        for (const auto& fact : report.settings)
            QVERIFY(
                html.contains(QStringLiteral("<td>%1</td><td>%2</td>").arg(fact.name, fact.value)));
        QVERIFY(html.contains(QStringLiteral("layers\\.0\\.&lt;q&gt;=4")));
        QVERIFY(html.contains(QStringLiteral("13.69")) &&
                html.contains(QString::fromUtf8("≈\u00A013.71")));
        QVERIFY(html.contains(QString::fromUtf8("+0.1\u00A0%"))); // 13.71 / 13.6943
        // Nothing has no sign.
        PlanReport exact = report;
        exact.predicted->perplexity = exact.measured->perplexity * (1 - 1e-5);
        QVERIFY(
            planReportHtml(exact, QLocale::c()).contains(QString::fromUtf8("<td>0.0\u00A0%</td>")));
        QVERIFY(html.contains(QStringLiteral("same for 12 tokens")));
        // Nothing is fetched from elsewhere.
        for (const char* word : {"http:", "https:", "src=", "@import", "<script"})
            QVERIFY2(!html.contains(QLatin1String(word)), word);
    }

    void htmlEscapesWhatOthersWrote() {
        PlanReport report = samples::report();
        report.model = QStringLiteral("<script>alert(1)</script>");
        report.answers[0].plan = QStringLiteral("</blockquote><b>");
        const QString html = planReportHtml(report, QLocale::c());
        QVERIFY(!html.contains(QStringLiteral("<script>")));
        QVERIFY(html.contains(QStringLiteral("&lt;/blockquote&gt;&lt;b&gt;")));
    }

    void htmlTagsAreBalanced() {
        const QString html = planReportHtml(samples::report(), QLocale::c());
        for (const char* tag :
             {"div", "table", "tr", "td", "section", "main", "p", "h2", "blockquote", "i"}) {
            const QString name = QLatin1String(tag);
            const auto opened = html.count(QRegularExpression(QStringLiteral("<%1[ >]").arg(name)));
            QCOMPARE(html.count(QStringLiteral("</%1>").arg(name)), opened);
        }
    }

    void pdfIsOnePageWithText() {
        PlanReport report = samples::report();
        // Far more than fits.
        for (int i = 0; i < 200; ++i) {
            report.pins.push_back(QStringLiteral("layers.%1=4").arg(i));
            report.settings.push_back(
                {QStringLiteral("setting %1").arg(i), QStringLiteral("value")});
            report.answers.push_back(report.answers[0]);
        }
        for (const PlanReport& one : {samples::report(), report, PlanReport()}) {
            const QByteArray pdf =
                planReportPdf(one, QLocale(QLocale::English, QLocale::UnitedStates));
            QVERIFY(pdf.startsWith("%PDF"));
            QCOMPARE(pdf.count("/Type /Page\n"), 1);
            QVERIFY(pdfContent(pdf).contains("BT\n"));
        }
    }

    void filesAreWrittenByTheirName() {
        QTemporaryDir folder;
        for (const char* name : {"r.pdf", "r.html"}) {
            writePlanReport(samples::report(), folder.filePath(QLatin1String(name)));
            QVERIFY(QFileInfo(folder.filePath(QLatin1String(name))).size() > 2000);
        }
        QVERIFY_THROWS_EXCEPTION(bitloom::Error,
                                 writePlanReport({}, folder.filePath(QStringLiteral("r.txt"))));
        QVERIFY_THROWS_EXCEPTION(bitloom::Error,
                                 writePlanReport({}, folder.filePath(QStringLiteral("no/r.pdf"))));
    }
};

QTEST_MAIN(TestPlanReport)
#include "tst_plan_report.moc"
