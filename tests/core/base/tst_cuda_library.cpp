// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/base/cuda_library.h"
#include "core/base/cuda_matrix.h"
#include "core/base/error.h"

#include <QtTest>

#include <filesystem>

using namespace bitloom;

/// How the CUDA library is found, and what is said where it is not. With a GPU, its products too.
class TestCudaLibrary : public QObject {
    Q_OBJECT
private slots:
    void cleanup() { qunsetenv("BITLOOM_CUDA_LIBRARY"); }

    void absent_data() {
        QTest::addColumn<QByteArray>("file");
        QTest::addColumn<QByteArray>("says");
        QTest::newRow("named nowhere") << QByteArray("") << QByteArray("BITLOOM_CUDA_LIBRARY");
        QTest::newRow("no such file") << QByteArray("/nowhere/libbitloom_cuda.so")
                                      << QByteArray("/nowhere/libbitloom_cuda.so does not exist");
        QTest::newRow("no library")
            << QByteArray(BITLOOM_SOURCE_DIR "/README.md") << QByteArray("cannot be loaded");
        QTest::newRow("another one") << QByteArray(OTHER_LIBRARY) << QByteArray("another version");
        QTest::newRow("a later version")
            << QByteArray(LATER_LIBRARY) << QByteArray("another version of Bitloom");
    }
    void absent() {
        QFETCH(QByteArray, file);
        QFETCH(QByteArray, says);
        qputenv("BITLOOM_CUDA_LIBRARY", file);
        std::string why;
        QVERIFY(!CudaLibrary::open(why));
        QVERIFY2(why.find(says.toStdString()) != std::string::npos, why.c_str());
        QCOMPARE(cudaStatusText(), "not used: " + why);
    }

    /// The library of this build: either it finds a GPU, which must then compute correctly, or it
    /// says why not; it loads in any case.
    void ofThisBuild() {
        const std::filesystem::path file = BITLOOM_BINARY_DIR "/lib/bitloom/libbitloom_cuda.so";
        if (!std::filesystem::exists(file)) QSKIP("built without CUDA kernels");
        qputenv("BITLOOM_CUDA_LIBRARY", file.c_str());
        std::string why;
        const auto library = CudaLibrary::open(why);
        if (!library) {
            QVERIFY2(why.find("cannot be loaded") == std::string::npos, why.c_str());
            QVERIFY2(why.find("version of Bitloom") == std::string::npos, why.c_str());
            QVERIFY(!why.empty());
            QSKIP(("no GPU: " + why).c_str());
        }
        const CudaDevice device(library);
        for (const CudaCheck& check : checkCudaProducts(device))
            QVERIFY2(check.ok, (check.name + ": " + check.detail).c_str());
    }
};

QTEST_APPLESS_MAIN(TestCudaLibrary)
#include "tst_cuda_library.moc"
